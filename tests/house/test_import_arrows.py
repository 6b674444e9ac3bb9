"""The arrows between the rooms hold, and each contract notices the import that it is there to forbid."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
CONTRACTS = [contract["name"] for contract in CONFIG["contracts"]]
ROOMS = CONFIG["root_packages"]
# Contract, the file that is made to break it, and the import.
FORBIDDEN = [
    ("broker acts on top of tenants and providers, which are strangers", "tenants/errors.py", "providers.errors"),
    ("broker acts on top of tenants and providers, which are strangers", "providers/errors.py", "tenants.errors"),
    ("broker acts on top of tenants and providers, which are strangers", "tenants/errors.py", "broker.errors"),
    ("surfaces are strangers to each other, services below them", "broker/api/paging.py", "broker.connect.pages"),
    ("surfaces are strangers to each other, services below them", "broker/connect/pages.py", "broker.admin.words"),
    ("surfaces are strangers to each other, services below them", "broker/services/outbox.py", "broker.api.problems"),
    ("surfaces are strangers to each other, services below them", "broker/errors.py", "broker.services.outbox"),
    ("inside providers", "providers/errors.py", "providers.registry"),
    ("inside providers", "providers/outbound/door.py", "providers.protocol.pkce"),
    ("inside tenants", "tenants/keyring.py", "tenants.vault"),
    ("inside tenants", "tenants/models/tenant.py", "tenants.audit"),
    ("providers know no Django, no Celery, no database", "providers/errors.py", "django.conf"),
    ("providers know no Django, no Celery, no database", "providers/protocol/pkce.py", "psycopg"),
    ("tenants know no OAuth machinery and no HTTP client", "tenants/audit.py", "httpx2"),
    ("tenants know no OAuth machinery and no HTTP client", "tenants/audit.py", "authlib.oauth2"),
    ("sandbox and embedded judge from outside", "sandbox/errors.py", "providers.errors"),
    ("sandbox and embedded judge from outside", "embedded/errors.py", "tenants.errors"),
    ("sandbox and embedded judge from outside", "embedded/errors.py", "broker.errors"),
    ("services never import tasks", "broker/services/outbox.py", "broker.tasks"),
    ("services never import tasks", "broker/services/outbox.py", "celery"),
]


def lint(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    return subprocess.run(
        [*command, "--no-cache", "--no-logo", *options],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms, to break."""
    copy = tmp_path_factory.mktemp("tree")
    for room in ROOMS:
        shutil.copytree(PROJECT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__", "*.toml", "var"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    return copy


def test_every_arrow_holds():
    done = lint(PROJECT)
    assert done.returncode == 0, done.stdout
    assert [name for name in CONTRACTS if f"{name} KEPT" not in done.stdout] == []


@pytest.mark.parametrize(("contract", "file", "module"), FORBIDDEN, ids=lambda value: value.rpartition("/")[2])
def test_a_forbidden_import_breaks_its_contract(tree, contract, file, module):
    target = tree / file
    before = target.read_text(encoding="utf-8")
    target.write_text(f"{before}\nimport {module}\n", encoding="utf-8")
    try:
        done = lint(tree)
    finally:
        target.write_text(before, encoding="utf-8")
    assert done.returncode != 0
    assert f"{contract} BROKEN" in done.stdout
    importer = file.removesuffix(".py").replace("/", ".")
    outside = module.split(".")[0] if module.split(".")[0] not in ROOMS else module
    assert f"{importer} -> {outside}" in done.stdout


def test_each_contract_is_seen_to_bite():
    assert {contract for contract, _, _ in FORBIDDEN} == set(CONTRACTS)


def test_every_room_is_looked_at():
    with_code = {path.parent.name for path in PROJECT.glob("*/__init__.py")}
    assert with_code - {"tests", "bench"} == set(ROOMS)

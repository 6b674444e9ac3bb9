"""Small modules, small functions, types, imports at the top, and each provider's name in its own file."""

import ast
import contextlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from providers.registry import load_definitions

PROJECT = Path(__file__).resolve().parents[2]
MODULE_LINES, FUNCTION_LINES = 300, 40
# Fourteen named values that one vendor's signature is made of, in the order of its document.
LONG_FUNCTIONS = {"providers/visma/netvisor.py: build_headers"}
# Django registers checks when its apps are ready, not before; the bench prepares the environment before it reads it.
LOCAL_IMPORTS = {
    "broker/apps.py: ready",
    "bench/claims.py: run",
    "bench/profiled.py: main",
    "bench/profiled.py: _patch",
    "bench/renewal_stack.py: add_connections",
    "bench/renewal_stack.py: _credentials",
    # Each is measured only where it is installed.
    "bench/doors.py: door",
    "bench/doors.py: httpcore2_pool",
    "bench/doors.py: httpx2_client",
    "bench/doors.py: urllib3_pool",
    "bench/doors.py: requests_session",
    "bench/doors.py: _aiohttp",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(*rooms: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    found = (path for room in rooms for path in sorted((PROJECT / room).rglob("*")) if path.suffix in suffixes)
    return [path for path in found if not {"node_modules", "migrations"} & set(path.parts)]


def name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(_parsed(path)) if isinstance(node, Function))


@cache
def _parsed(path: Path) -> ast.Module:
    for _ in range(10):
        # CPython 3.11 counts the depth of a tree for all threads together, and one of another test may print a
        # traceback, which parses too (python/cpython#106905).
        with contextlib.suppress(SystemError):
            return ast.parse(path.read_text(encoding="utf-8"))
    raise AssertionError(f"{path} cannot be parsed")


CODE = files("providers", "tenants", "broker", "sandbox", "embedded", "bench", "clients/python/src")
ALL = {name(path): path for path in [*CODE, *files("tests")]}


def test_a_module_is_read_in_one_sitting():
    lengths = {one: len(path.read_text(encoding="utf-8").splitlines()) for one, path in ALL.items()}
    assert {one: lines for one, lines in lengths.items() if lines > MODULE_LINES} == {}
    assert len(lengths) > 150


def test_no_function_is_long():
    long = [
        f"{name(path)}: {one.name}"
        for path in CODE
        for one in functions(path)
        if one.end_lineno is None or one.end_lineno - one.lineno >= FUNCTION_LINES
    ]
    assert set(long) <= LONG_FUNCTIONS


def test_functions_are_around_ten_lines():
    lengths = sorted((one.end_lineno or 0) - one.lineno + 1 for path in CODE for one in functions(path))
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[len(lengths) * 9 // 10] <= 22


def test_every_function_says_what_it_returns_and_takes():
    def untyped(one: Function) -> bool:
        given = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs, one.args.vararg, one.args.kwarg]
        return one.returns is None or any(
            argument is not None and argument.annotation is None and argument.arg not in ("self", "cls")
            for argument in given
        )

    assert [f"{name(path)}: {one.name}" for path in CODE for one in functions(path) if untyped(one)] == []


def test_imports_stand_at_the_top():
    local = {
        f"{name(path)}: {one.name}"
        for path in CODE
        for one in functions(path)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(one))
    }
    assert local == LOCAL_IMPORTS & set(local)


def test_every_module_says_what_it_is():
    silent = [name(path) for path in CODE if (text := path.read_text(encoding="utf-8")).strip() and text[:3] != '"""']
    assert silent == []


# Words that products are named with, and that mean what they mean.
ORDINARY = {"business", "connect", "service", "services", "operator", "integrations", "payslip", "direct"}


def provider_names() -> set[str]:
    """Ids, the words of ids and display names, endpoint hosts and scopes: what only a catalogue file may say."""
    found: set[str] = set()
    for definition in load_definitions().values():
        words = re.findall(r"\w{4,}", f"{definition.id} {definition.display_name}")
        found |= {
            definition.id,
            *words,
            *(entry.name for entry in definition.scopes_supported if ":" in entry.name and "*" not in entry.name),
        }
        for environment in definition.environments.values():
            address = environment.issuer or environment.api_base_url
            found.add(".".join(re.findall(r"https://([^/]+)", address)[0].split(".")[-2:]))
    return {one.lower() for one in found} - ORDINARY


# The sandbox is that provider's double, and the embedded demo starts it: both must speak its name.
GENERIC = {
    name(path): path
    for path in files("broker", "tenants", "templates", "static", suffixes=(".py", ".html", ".txt", ".js", ".css"))
}


def test_no_provider_is_named_outside_its_file():
    names = {one: re.compile(rf"\b{re.escape(one)}\b") for one in provider_names()}
    texts = {one: path.read_text(encoding="utf-8").lower() for one, path in GENERIC.items()}
    named = {
        one: found for one, text in texts.items() if (found := [n for n, form in names.items() if form.search(text)])
    }
    assert named == {}


def test_the_search_for_names_would_find_them():
    assert {"visma-eaccounting", "visma", "eaccounting", "vismaonline.com"} <= provider_names()
    assert len(GENERIC) > 60

"""Every paper holds together, and no file tells where it was written."""

import datetime as dt
import json
import re
import subprocess
import tomllib
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from embedded import announce
from embedded.demo.story import Result
from tests.house import papers

MARKDOWN = papers.files(".md")
# Dotted names of ours; `broker.E001` and its like are ids of checks.
OWN_CODE = re.compile(r"(providers|tenants|broker|sandbox|embedded)\.(?![EW]\d)[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)*")
OWN_FILE = re.compile(r"\b(?:providers|tenants|broker|sandbox|embedded|tests|bench|docs)/[\w/-]+\.(?:py|toml|md)\b")
# The addresses that lock files and installers may name: the public ones.
PUBLIC_INDEXES = {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"}
# Folders that every system has at its top.
COMMON = {"Users", "home", "media", "mnt", "opt", "private", "root", "srv", "tmp", "usr", "var"}


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(papers.ROOT)) for path in paths]


class TestEveryPaper:
    @pytest.mark.parametrize("paper", names(MARKDOWN))
    def test_links_lead_somewhere(self, paper):
        for link in papers.links(papers.read(paper)):
            target, _, fragment = link.partition("#")
            path = (papers.ROOT / paper).parent / target if target else papers.ROOT / paper
            assert path.exists(), link
            assert not fragment or fragment in papers.anchors(path.read_text()), link

    @pytest.mark.parametrize("paper", names(MARKDOWN))
    def test_names_of_our_code_resolve(self, paper):
        for name in papers.code(papers.read(paper)):
            if OWN_CODE.fullmatch(name) and not name.endswith((".py", ".toml")):
                resolve(name)

    @pytest.mark.parametrize("paper", names(MARKDOWN))
    def test_files_that_are_named_exist(self, paper):
        lost = [name for name in OWN_FILE.findall(papers.read(paper)) if not (papers.ROOT / name).is_file()]
        assert lost == []

    @pytest.mark.parametrize("paper", names(MARKDOWN))
    def test_make_targets_exist(self, paper):
        assert called_targets(papers.read(paper)) - targets() == set()

    def test_the_readme_shows_the_targets_that_a_newcomer_needs(self):
        text = papers.read("README.md")
        block = re.search(r"```sh\n(.*?)```", papers.section(text, "Two commands"), re.DOTALL)
        assert block
        assert block[1].split("\n") == ["make run", "make test", ""]
        assert "demo" in called_targets(text)

    def test_the_readme_shows_what_the_programs_print(self):
        shown = papers.read("README.md")
        for line in filter(None, announce.TEXT.splitlines()):
            assert re.search(re.sub(r"\\{\w+\\}", r"\\S+", re.escape(line)), shown), line
        last = json.loads(re.findall(r'^{"ok".*}$', shown, re.MULTILINE)[0])
        assert list(last) == [field.name for field in fields(Result)]

    def test_contributing_lists_every_target(self):
        assert called_targets(papers.read("CONTRIBUTING.md")) == targets() - {"help"}

    def test_no_paper_is_lost(self):
        linked = set()
        for paper in MARKDOWN:
            targets = [link.partition("#")[0] for link in papers.links(paper.read_text())]
            linked |= {(paper.parent / target).resolve() for target in targets if target}
        lost = {paper for paper in MARKDOWN if not linked & {paper, paper.parent}}
        assert names(sorted(lost - {papers.ROOT / "README.md"})) == []

    def test_decisions_are_numbered_without_gaps(self):
        numbers = [int(path.name[:4]) for path in sorted((papers.DOCS / "decisions").glob("*.md"))]
        assert numbers == list(range(1, len(numbers) + 1))

    def test_the_licence_is_the_one_that_the_project_declares(self):
        declared = tomllib.loads(papers.read("pyproject.toml"))["project"]["license"]
        text = papers.read("LICENSE")
        assert declared == "Apache-2.0"
        assert "Version 2.0, January 2004" in text
        assert "END OF TERMS AND CONDITIONS" in text

    def test_dates_are_not_in_the_future(self):
        for paper in MARKDOWN:
            for day in re.findall(r"\b20\d\d-\d\d-\d\d\b", paper.read_text()):
                assert dt.date.fromisoformat(day) <= dt.datetime.now(dt.UTC).date(), (paper, day)


def resolve(name: str) -> object:
    """Import what a dotted name stands for."""
    parts = name.split(".")
    if name == "broker.wsgi":
        # Importing it starts the web process, which asks the database.
        return find_spec(name)
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", papers.read("Makefile"), re.MULTILINE))


def called_targets(text: str) -> set[str]:
    return set(re.findall(r"(?:`|^|\$ )make ([a-z-]+)", text, re.MULTILINE))


class TestEveryFile:
    def test_none_names_the_machine_it_was_written_on(self):
        assert found_in_files(re.compile("|".join(map(re.escape, private_folders())))) == []

    def test_none_names_a_package_mirror(self):
        assert mirrors().isdisjoint(PUBLIC_INDEXES)
        pattern = "|".join([*map(re.escape, mirrors()), r"--(extra-)?index-url|--find-links|--trusted-host"])
        assert found_in_files(re.compile(pattern)) == []

    def test_lock_files_name_public_indexes_only(self):
        for lock in papers.files(".json"):
            if lock.name == "package-lock.json":
                packages = json.loads(lock.read_text())["packages"].values()
                hosts = {urlsplit(package.get("resolved", "https://pypi.org")).hostname for package in packages}
                assert hosts <= PUBLIC_INDEXES, lock


def found_in_files(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in papers.files():
        # Tests that run beside this one make files and take them away.
        with suppress(FileNotFoundError):
            match = pattern.search(path.read_bytes().decode("utf-8", "ignore"))
            found += [f"{path.relative_to(papers.ROOT)}: {match[0]}"] if match and path != Path(__file__) else []
    return found


def private_folders() -> list[str]:
    """The folders that only this machine has, or only its user: this checkout's, and home."""
    found = [folder for folder in (papers.ROOT, papers.ROOT.parent, Path.home()) if len(folder.parts) > 2]
    found += [Path.home()] if len(Path.home().parts) == 2 else []
    top = Path(*papers.ROOT.parts[:2])
    found += [top] if top.name not in COMMON and top != papers.ROOT else []
    return [f"{folder}/" for folder in found]


def mirrors() -> set[str]:
    """The hosts that this machine's installers are told to use, if they are told."""
    told = ""
    for command in (["python3", "-m", "pip", "config", "list"], ["npm", "config", "get", "registry"]):
        try:
            told += subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
        except OSError:
            continue
    return set(re.findall(r"https?://(?:[^/@\s']+@)?([a-z0-9.-]+)", told)) - PUBLIC_INDEXES

"""Read the papers: tables, links, headings and code names out of the repository's Markdown."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# Made, fetched or private: no part of the project.
_NOT_OURS = {"node_modules", "__pycache__", "staticfiles", "var", "secrets"}
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


def files(*suffixes: str) -> list[Path]:
    """Return the repository's files with these suffixes; all of them without any."""
    return [path for path in _walk() if not suffixes or path.suffix in suffixes]


def _walk() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name == ".ci" or not _skipped(name))
        yield from (Path(folder, name) for name in sorted(names) if name != ".env")


def _skipped(name: str) -> bool:
    return name.startswith(".") or name in _NOT_OURS


def read(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def tables(text: str) -> list[list[dict[str, str]]]:
    """Return every table as rows by column title."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.strip().splitlines()]
        titles, _, *body = rows
        found.append([dict(zip(titles, row, strict=True)) for row in body])
    return found


def rows(text: str, *titles: str) -> list[dict[str, str]]:
    """Return the rows of all tables with exactly these column titles."""
    return [row for table in tables(text) for row in table if tuple(row) == titles]


def section(text: str, title: str) -> str:
    """Return what stands under a heading, up to the next one of its level or a higher one."""
    begin = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert begin, f"no heading {title!r}"
    end = re.compile(rf"^#{{1,{len(begin[1])}}} ", re.MULTILINE).search(text, begin.end())
    return text[begin.end() : end.start() if end else None]


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the fragments that a link may name, made as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(text)}


def links(text: str) -> list[str]:
    """Return the targets of links that stay in the repository."""
    return [target for target in _LINK.findall(_FENCE.sub("", text)) if not re.match(r"[a-z]+:", target)]


def code(text: str) -> list[str]:
    """Return what stands in backticks."""
    return _CODE.findall(_FENCE.sub("", text))


def bare(cell: str) -> str:
    """Return a table cell without its backticks."""
    return cell.replace("`", "")

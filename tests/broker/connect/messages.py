"""The translations of the hosted pages: `python -m tests.broker.connect.messages` brings locale/ up to date.

It collects every string of the pages and of the catalogue into django.pot, merges it into each language's .po, and
compiles the .mo files. What it finds new has to be translated by hand.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from providers.definition import ProviderDefinition
from providers.registry import load_definitions

PROJECT = Path(__file__).resolve().parents[3]
LOCALE = PROJECT / "locale"
TEMPLATE = LOCALE / "django.pot"
LANGUAGES = ("da", "fi", "nb", "sv")
# The files change only when the words do.
FIXED = datetime(2026, 1, 1, tzinfo=UTC)
UNKEPT = (
    b'"Project-Id',
    b'"Report-',
    b'"POT-',
    b'"PO-',
    b'"Last-Translator',
    b'"Language-Team',
    b'"Generated-By',
)
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
HEADER = "# Strings of the hosted connect pages and of the provider catalogue.\n#"


def collect() -> Catalog:
    """Return every string that a connect page can show."""
    catalog = Catalog(project="token-broker", version="0.1.0", header_comment=HEADER, fuzzy=False)
    for where, message in [*_from_code(), *_from_templates(), *_from_catalogue()]:
        catalog.add(message, locations=[(where, None)])
    return catalog


def _from_code() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for file in sorted((PROJECT / "broker/connect").glob("*.py")):
        yield from _extract(file, file.read_text())


def _from_templates() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for file in sorted((PROJECT / "templates/connect").glob("*.html")):
        # templatize() leaves Python calls between blanked-out text, whose indentation means nothing.
        lines = [line.strip() for line in templatize(file.read_text()).splitlines()]
        yield from _extract(file, "\n".join(["(", *lines, ")"]))


def _from_catalogue() -> Iterator[tuple[str, str]]:
    for provider_id, definition in sorted(load_definitions().items()):
        where = f"providers/catalogue/{provider_id}.toml"
        yield from ((where, one) for one in _sentences(definition) if one)


def _sentences(definition: ProviderDefinition) -> Iterator[str]:
    yield from (scope.description for scope in definition.scopes_supported)
    yield from (*definition.connect.needs, *definition.connect.after)
    yield from (refusal.text for refusal in definition.refusals)
    for field in definition.entered_fields:
        yield from (field.label, *field.help)
        # A business id has words of its own in the pages.
        yield field.expected if field.kind != "business_id" else ""


def _extract(file: Path, source: str) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    where = str(file.relative_to(PROJECT))
    for _line, message, _comments, _context in extract("python", io.BytesIO(source.encode()), keywords=KEYWORDS):
        yield where, message


def po_file(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def read(language: str) -> Catalog:
    with po_file(language).open("rb") as file:
        return read_po(file, locale=language)


def read_compiled(language: str) -> Catalog:
    with po_file(language).with_suffix(".mo").open("rb") as file:
        return read_mo(file)


def update() -> None:
    found = collect()
    _write(TEMPLATE, found)
    for language in LANGUAGES:
        path = po_file(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        translated = read(language) if path.exists() else Catalog(locale=language, fuzzy=False)
        translated.header_comment = HEADER
        translated.update(found, no_fuzzy_matching=True)
        translated.obsolete.clear()
        _write(path, translated)
        translated.creation_date = translated.revision_date = FIXED
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, translated)


def _write(path: Path, catalog: Catalog) -> None:
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=110, sort_output=True)
    kept = [line for line in buffer.getvalue().splitlines(keepends=True) if not line.startswith(UNKEPT)]
    path.write_bytes(b"".join(kept))


if __name__ == "__main__":
    update()

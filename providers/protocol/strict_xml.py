"""XML from strangers: no document type, so no entities; nothing deep; only the first part of a body is read."""

from __future__ import annotations

import re
from xml.parsers import expat

MAXIMUM_BYTES = 262144
MAXIMUM_DEPTH = 32
# What single-byte documents without a declaration are taken for.
_FALLBACK_ENCODING = "iso-8859-15"
_DECLARED = re.compile(rb"\A(\xef\xbb\xbf|\xff\xfe|\xfe\xff|\s*<\?xml\s)")


class _Found(Exception):
    """The element is complete; the rest of the document does not matter."""


def texts_of_children(body: bytes, element: str) -> list[tuple[str, str]] | None:
    """Name and text of each child of the root's first child of this name; None when there is no such thing.

    Shape:  reads up to that element's end and at most 256 KiB; what follows may be anything.
    """
    reader = _Reader(element)
    start = body[:MAXIMUM_BYTES]
    parser = expat.ParserCreate(_encoding(start))
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(start, len(start) == len(body))
    except _Found:
        return reader.children
    except (expat.ExpatError, ValueError, LookupError):
        return None
    return None


def _encoding(body: bytes) -> str | None:
    if _DECLARED.match(body):
        return None
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        # The cut may have gone through a character; anything earlier is another encoding.
        return _FALLBACK_ENCODING if error.start < len(body) - 3 else "utf-8"
    return "utf-8"


class _Reader:
    """Collects the children while the parser walks."""

    def __init__(self, element: str) -> None:
        self.children: list[tuple[str, str]] = []
        self._element = element
        self._path: list[str] = []
        self._text: list[str] = []

    def refuse(self, *_: object) -> None:
        raise ValueError("a document type")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= MAXIMUM_DEPTH:
            raise ValueError("too deep")
        self._path.append(name)
        if len(self._path) == 3:
            self._text = []

    def end(self, name: str) -> None:
        inside = self._path[1:2] == [self._element]
        if inside and len(self._path) == 3:
            self.children.append((name, "".join(self._text).strip()))
        if inside and len(self._path) == 2:
            raise _Found
        self._path.pop()

    def characters(self, text: str) -> None:
        if len(self._path) == 3:
            self._text.append(text)

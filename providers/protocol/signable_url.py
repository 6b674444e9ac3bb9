"""Which URLs are signed: those inside the declared hosts, ports and paths, written in one way only.

A signature for a URL that two readers understand differently is a signature for somebody else's request. So
whatever a client, proxy or server might rewrite on the way is refused, and the refusal says where it stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

from providers.definition.rules import LOOPBACK_HOSTS
from providers.errors import RequestRefused

MAXIMUM_LENGTH = 8192
FIELD = "url"
# RFC 3986 section 2, without "#", and no escaped control character.
_AS_SENT = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]++|%(?!7[Ff])[2-9A-Fa-f][0-9A-Fa-f])*+")
# The same, but behind the "?" also what a client escapes when it sends.
_UNESCAPED_QUERY = re.compile(
    r"(?:[A-Za-z0-9\-._~:/\[\]@!$&'()*+,;=]++|%(?!7[Ff])[2-9A-Fa-f][0-9A-Fa-f])*+"
    r"(?:\?(?:[^\x00-\x1f\x7f-\x9f#%\\\ud800-\udfff]++|%(?!7[Ff])[2-9A-Fa-f][0-9A-Fa-f])*+)?"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]|%(?:[01][0-9A-Fa-f]|7[Ff])")
_TOLD_APART = re.compile(r"%(?![0-9A-Fa-f]{2})|\\|#")
_PROBLEMS = {"%": "malformed_escape", "\\": "backslash", "#": "fragment"}
_QUERY = r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]++|%(?!7[Ff])[2-9A-Fa-f][0-9A-Fa-f])*+"
# What a piece of a declared path stands for: anything, to say later what is wrong with it, ...
_ANYTHING = {"**": "[^?]+", "*": "[^/?]+"}
# ... or only what is beyond doubt, which is nearly every path there is.
_PLAIN_SEGMENT = "[A-Za-z0-9_~-][A-Za-z0-9_.~-]*+"
_PLAIN = {"**": f"{_PLAIN_SEGMENT}(?:/{_PLAIN_SEGMENT})*+", "*": "[A-Za-z0-9_~-]+"}
_ESCAPED_AGAIN = re.compile(r"%(?:2[EeFf5]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])")


class SignableUrl(NamedTuple):
    """A URL that passed; path begins with "/", query is None when there is no "?"."""

    text: str
    path: str
    query: str | None


class SignableUrls:
    """The URLs beneath some base URLs that may be signed.

    Shape:  base_urls without a trailing "/"; paths as in `definition.Signing`, beneath each of them.
    """

    def __init__(self, base_urls: Sequence[str], paths: Sequence[str], *, provider_id: str = "") -> None:
        self._provider_id = provider_id
        self._bases = tuple(base.rstrip("/") for base in base_urls)
        # One pattern that takes nearly every URL whole costs a third of looking at it piece by piece.
        self._plain_url = self._pattern(paths, _PLAIN, _QUERY)
        self._any_url = self._pattern(paths, _ANYTHING, r"(?s:.*)")

    def _pattern(self, paths: Sequence[str], pieces: Mapping[str, str], query: str) -> re.Pattern[str]:
        alternatives = "|".join(_path_pattern(path, pieces) for path in paths)
        bases = (
            f"{re.escape(_origin(base))}(?P<path{number}>{re.escape(urlsplit(base).path)}(?:{alternatives}))"
            for number, base in enumerate(self._bases)
        )
        return re.compile(rf"(?:{'|'.join(bases)})(?:\?(?P<query>{query}))?")

    def check(self, url: str, *, unescaped_query: bool = False) -> SignableUrl:
        """The URL, taken apart.

        Shape:  with unescaped_query the query may be written as people write it, spaces and letters included.
        Raises: RequestRefused with field `url`.
        """
        match = self._plain_url.fullmatch(url) if isinstance(url, str) and len(url) <= MAXIMUM_LENGTH else None
        return _taken_apart(url, match) if match else self.check_piece_by_piece(url, unescaped_query)

    def check_piece_by_piece(self, url: str, unescaped_query: bool) -> SignableUrl:
        """The same as `check`, slower, and able to say what is wrong."""
        if not isinstance(url, str) or not 0 < len(url) <= MAXIMUM_LENGTH:
            self._refuse("length", None, f"an absolute URL of at most {MAXIMUM_LENGTH} characters")
        if not (_UNESCAPED_QUERY if unescaped_query else _AS_SENT).fullmatch(url):
            self._refuse_character(url, unescaped_query)
        match = self._any_url.fullmatch(url)
        if match is None:
            self._refuse_place(url)
        found = _taken_apart(url, match)
        self._look_at_path(url, found.path)
        return found

    def _refuse_character(self, url: str, unescaped_query: bool) -> NoReturn:
        if control := _CONTROL.search(url):
            self._refuse("control_character", control.start(), "no control character, escaped or not")
        if odd := _TOLD_APART.search(url):
            self._refuse(_PROBLEMS[odd[0]], odd.start(), "percent-encoding as in RFC 3986, without fragment")
        pattern = _UNESCAPED_QUERY if unescaped_query else _AS_SENT
        reached = pattern.match(url)
        self._refuse("not_percent_encoded", reached.end() if reached else 0, "this character percent-encoded as UTF-8")

    def _refuse_place(self, url: str) -> NoReturn:
        """Says which part of the URL is elsewhere."""
        scheme, mark, rest = url.partition("://")
        if not mark or scheme not in {base.partition("://")[0] for base in self._bases}:
            self._refuse("scheme", 0, f"a URL that begins with {self._bases_in_words()}/")
        authority = re.split(r"[/?]", rest, maxsplit=1)[0]
        start = len(scheme) + len(mark)
        if "@" in authority:
            self._refuse("userinfo", start, "a URL without user and password")
        host, port = _host_and_port(authority)
        hosts = {_host_and_port(base.partition("://")[2].partition("/")[0]) for base in self._bases}
        if host not in {known for known, _ in hosts}:
            self._refuse("foreign_host", start, f"a URL that begins with {self._bases_in_words()}/")
        if (host, port) not in hosts:
            self._refuse("foreign_port", start + len(host), f"a URL that begins with {self._bases_in_words()}/")
        self._look_at_path(url, url[start + len(authority) :].partition("?")[0])
        self._refuse("foreign_path", start + len(authority), "a path of the provider's API")

    def _look_at_path(self, url: str, path: str) -> None:
        """Refuses a path that is another one to somebody."""
        start = url.index(path, url.index("://") + 3) if path else len(url)
        if odd := _ESCAPED_AGAIN.search(path):
            self._refuse("escaped_separator", start + odd.start(), "a path whose dots, slashes and % are not escaped")
        place = start
        for number, segment in enumerate(path.split("/")):
            if self._plain(segment, place) in (".", ".."):
                self._refuse("dot_segment", place, "a path without . and .. segments")
            if not segment and number and place < start + len(path):
                self._refuse("empty_segment", place, "a path without //")
            place += len(segment) + 1

    def _plain(self, segment: str, place: int) -> str:
        """The segment as the most tolerant of servers reads it."""
        try:
            text = unquote(segment, errors="strict")
        except UnicodeDecodeError:
            self._refuse("escape_not_utf8", place, "percent-encoded UTF-8")
        # Some servers cut a segment's parameters off before they look for dots, some fold wide letters.
        return unicodedata.normalize("NFKC", text.partition(";")[0])

    def _bases_in_words(self) -> str:
        return " or ".join(self._bases)

    def _refuse(self, problem: str, position: int | None, expected: str) -> NoReturn:
        raise RequestRefused(
            problem=problem, field=FIELD, position=position, expected=expected, provider_id=self._provider_id
        )


def check_base_url(base_url: str, *, field: str, allow_loopback: bool, provider_id: str = "") -> str:
    """A base URL of the registration's own, without a trailing "/".

    Raises: RequestRefused.
    """
    refused = RequestRefused(
        problem="base_url",
        field=field,
        expected="https, a host in lower case, perhaps a port and a plain path; nothing else",
        provider_id=provider_id,
    )
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[1-9][0-9]{0,4})?(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?", base_url):
        raise refused
    parts = urlsplit(base_url)
    loopback = allow_loopback and parts.hostname in LOOPBACK_HOSTS
    if parts.scheme != "https" and not loopback:
        raise refused
    return base_url.rstrip("/")


def _host_and_port(authority: str) -> tuple[str, str]:
    host, _, port = authority.partition(":") if not authority.startswith("[") else authority.partition("]:")
    return host, port


def _origin(base: str) -> str:
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}"


def _taken_apart(url: str, match: re.Match[str]) -> SignableUrl:
    path = match[1] or next(filter(None, match.groups()))
    return SignableUrl(url, path, match["query"])


def _path_pattern(path: str, pieces: Mapping[str, str]) -> str:
    return "".join(pieces.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*|\*)", path))

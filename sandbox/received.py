"""A request as it came over the wire: what signatures are checked against."""

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Received:
    """The bytes of one request, before any framework has made something of them.

    Shape:  target is the request line's (`/path?query`, escapes as sent); headers have lower-case names, and
            values without the blanks around them.
    """

    method: str
    host: str
    target: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes = b""
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The absolute URL as the client addressed it."""
        return f"{self.scheme}://{self.host}{self.target}"

    def values(self, name: str) -> list[bytes]:
        """Every value of this header (a lower-case name)."""
        return [value for known, value in self.headers if known == name]

    def text(self, name: str) -> str:
        """The first value of this header, empty when there is none."""
        found = self.values(name)
        return found[0].decode("utf-8", "replace") if found else ""


def received(request: web.Request, body: bytes) -> Received:
    """The request as bytes."""
    headers = tuple((name.decode("ascii").lower(), value) for name, value in request.raw_headers)
    return Received(request.method, request.host, request.raw_path, headers, body)

"""Say it when a request was answered before its body was read: the connection cannot serve another one then."""

from collections.abc import Callable, Iterable
from typing import Any

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]
_NO_BODY = ("", "0")


class _Watched:
    """A request's body, and whether anybody has read it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.read_once = False

    def read(self, *size: int) -> bytes:
        return self._noted(self._stream.read(*size))

    def readline(self, *size: int) -> bytes:
        return self._noted(self._stream.readline(*size))

    def _noted(self, found: bytes) -> bytes:
        self.read_once = True
        return found


class ClosesUnread:
    """A WSGI application that answers `Connection: close` where the one behind it left a body unread.

    The server closes such a connection anyway when the body comes later than the answer, which is a race: a client
    that is not told sends its next request there, and loses it. Reading the body instead would let strangers without
    a key keep a thread for as long as they like to send.
    """

    def __init__(self, behind: Application) -> None:
        self._behind = behind

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH", "") in _NO_BODY and "HTTP_TRANSFER_ENCODING" not in environ:
            return self._behind(environ, start_response)
        return self._with_body(environ, start_response)

    def _with_body(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        environ["wsgi.input"] = watched = _Watched(environ["wsgi.input"])

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, headers if watched.read_once else [*headers, ("Connection", "close")], *more)

        return self._behind(environ, start)

"""The conversation as requests holds it: headers before the request, a hook after the answer.

This module imports no requests: who uses it has it.
"""

import hashlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from token_broker.conversation import Answer, Ask, Conversation, Manners, Outgoing, Send, Step, Tell, advance
from token_broker.errors import ForeignOrigin
from token_broker.origins import origin_of, target_of

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

logger = logging.getLogger("token_broker")
Perform = Callable[[Ask | Tell], Any]
_CHUNK = 64 * 1024


class RequestsExchange:
    """One request of requests, its redirects and its second attempt."""

    def __init__(self, perform: Perform, manners: Manners) -> None:
        self._perform = perform
        self._manners = manners
        self._conversation: Conversation | None = None
        self._sending: Send | None = None

    def begin(self, request: "PreparedRequest") -> "PreparedRequest":
        """Return the request with its headers, and a hook for the answer."""
        self._conversation = self._manners.hold(outgoing(request))
        self._next(next(self._conversation, None))
        self._put(request)
        request.register_hook("response", self._answered)  # type: ignore[no-untyped-call]
        return request

    def _next(self, step: Step | None) -> bool:
        """Go on to the next request that is to be sent. Returns whether there is one."""
        assert self._conversation is not None
        while step is not None and not isinstance(step, Send):
            step = advance(self._conversation, self._perform(step))
        self._conversation = self._conversation if step is not None else None
        self._take_off_names = self._names()
        self._sending = step or self._sending
        return step is not None

    def _names(self) -> tuple[str, ...]:
        return tuple(self._sending.given.headers) if self._sending is not None else ()

    def _put(self, request: "PreparedRequest") -> None:
        assert self._sending is not None
        for name in self._take_off_names:
            request.headers.pop(name, None)
        request.headers.update(self._sending.given.headers)

    def _answered(self, response: "Response", **options: Any) -> "Response":
        if response.is_redirect:
            self._keep_home(response)
            return response
        if self._conversation is None:
            return response
        step = advance(self._conversation, self._answer(response))
        if not self._next(step):
            return response
        return self._again(response, options)

    def _again(self, response: "Response", options: dict[str, Any]) -> "Response":
        # What is left of the body has to be read before the connection serves again.
        _ = response.content
        response.close()
        request = response.request
        self._put(request)
        newer: Response = response.connection.send(request, **options)
        newer.history.append(response)
        newer.request = request
        return self._answered(newer, **options)

    def _answer(self, response: "Response") -> Answer:
        wanted = self._manners.wants_text(response.status_code)
        text = response.text if wanted else ""
        return Answer(status=response.status_code, url=response.url, headers=dict(response.headers), text=text)

    def _keep_home(self, response: "Response") -> None:
        """requests copies the headers of this request when it follows, all but Authorization."""
        url = urljoin(response.url, response.headers["Location"])
        if self._sending is not None and not _may_see(self._sending, url):
            logger.warning("a redirect leads elsewhere: the provider's headers were left out")
            for name in self._names():
                response.request.headers.pop(name, None)


def _may_see(sending: Send, url: str) -> bool:
    try:
        return sending.may_see(origin_of(url), target_of(url))
    except ForeignOrigin:
        return False


def outgoing(request: "PreparedRequest") -> Outgoing:
    """Return the request as a conversation sees it."""
    return Outgoing(
        method=request.method or "GET",
        url=(request.url or "").partition("#")[0],
        read=lambda: body_of(request.body),
        digest=lambda: digest_of(request.body),
        again=request.body is None or isinstance(request.body, str | bytes | bytearray),
        content_type=request.headers.get("Content-Type"),
        headers={name.lower(): str(value) for name, value in request.headers.items() if name.lower().startswith("x-")},
    )


def body_of(body: Any) -> bytes | None:
    """Return the body, None for a file or an iterator."""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, bytes | bytearray) else b"" if body is None else None


def digest_of(body: Any) -> str | None:
    """Return the MD5 of a file that can be rewound, which is where it was afterwards; None for anything else."""
    try:
        begin = body.tell()
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := body.read(_CHUNK):
            digest.update(chunk if isinstance(chunk, bytes) else chunk.encode())
        body.seek(begin)
    except (AttributeError, OSError):
        return None
    return digest.hexdigest()

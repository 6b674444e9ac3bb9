"""One request to a provider's API, from the first headers to the last word; no input and no output here.

The same conversation is held by httpx, by httpx with tasks, and by requests: they send, wait, and hand in the answer.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from token_broker import calls
from token_broker.errors import BodyNotReadable
from token_broker.origins import Origin, check, origin_of, origins_of, target_of
from token_broker.values import Headers, Place, Token, Verdict

Given = Token | Headers
REPORTED = frozenset((401, 403))
_RETRY = frozenset(("renewed", "stale_version"))
_HINT = (
    'read it into bytes first, or name its MD5: httpx by extensions={"body_digest": "<32 hex>"}, '
    "requests by a file that can be rewound"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """The request, as the service wrote it.

    read and digest are called only where the provider signs: they give the body, or its MD5, or None where it can be
    read only once. again: whether the body can be sent twice.
    """

    method: str
    url: str
    read: Callable[[], bytes | None] = field(repr=False)
    digest: Callable[[], str | None] = field(repr=False)
    again: bool
    content_type: str | None
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the provider answered. Shape: url is where the answer came from, which a redirect may have changed."""

    status: int
    url: str
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)


Refusal = Callable[[Answer], bool]


@dataclass(frozen=True, slots=True)
class Ask:
    """Wanted: what the request is to carry."""

    place: Place
    outgoing: Outgoing

    def described(self) -> dict[str, Any]:
        """Return the request as the broker signs it. Raises BodyNotReadable."""
        out = self.outgoing
        described: dict[str, Any] = {"method": out.method, "url": out.url}
        if (digest := out.digest()) is not None:
            described["body_digest"] = digest
        elif (body := out.read()) is None:
            raise BodyNotReadable(f"this provider signs the body of each request: {_HINT}")
        elif body:
            described |= calls.body_of(body)
        if out.content_type:
            described["content_type"] = out.content_type
        if out.headers:
            described["headers"] = dict(out.headers)
        return described


@dataclass(frozen=True, slots=True)
class Tell:
    """Wanted: the broker's verdict on an answer."""

    place: Place
    used: Given
    answer: Answer

    def told(self) -> dict[str, Any]:
        answer = self.answer
        return calls.told_of(
            answer.status, self.used.version, headers=answer.headers, body=answer.text, scope=self.place.scope
        )


@dataclass(frozen=True, slots=True)
class Send:
    """Wanted: the request is sent with these headers, which nobody but these origins may see."""

    given: Given
    homes: frozenset[Origin]
    url: str

    def may_see(self, origin: Origin, target: str) -> bool:
        """Whether the headers may go along to where a redirect leads; a signature is for one URL only."""
        if isinstance(self.given, Headers) and self.given.single_use:
            return (origin, target) == (origin_of(self.url), target_of(self.url))
        return origin in self.homes


Step = Ask | Tell | Send
Conversation = Generator[Step, Any, None]


class Manners:
    """How one place is talked to. refused None: status 401 and 403, and the body of other answers is not read."""

    def __init__(self, place: Place, refused: Refusal | None, origins: frozenset[Origin]) -> None:
        self.place = place
        self._refused = refused
        self._origins = origins

    def wants_text(self, status: int) -> bool:
        return self._refused is not None or status in REPORTED

    def is_refused(self, answer: Answer) -> bool:
        return answer.status in REPORTED if self._refused is None else self._refused(answer)

    def hold(self, out: Outgoing) -> Conversation:
        """Give the steps in their order; what came of each is sent back into it.

        Raises: ForeignOrigin, and whatever the broker refuses; ReauthorizationRequired, ScopeMissing after a report.
        """
        given: Given = yield Ask(self.place, out)
        sending = self._sending(given, out)
        answer: Answer = yield sending
        if not self._counts(answer, sending):
            return
        verdict: Verdict | None = yield Tell(self.place, given, answer)
        if verdict is None or verdict.verdict not in _RETRY or not out.again:
            return
        newer: Given = yield Ask(self.place, out)
        if isinstance(newer, Token) and newer.version <= given.version:
            return
        sending = self._sending(newer, out)
        answer = yield sending
        if self._counts(answer, sending):
            # Never a third time; but whoever has lost the connection learns it now, with the link.
            yield Tell(self.place, newer, answer)

    def _sending(self, given: Given, out: Outgoing) -> Send:
        homes = self._origins | origins_of([given.base_url])
        if isinstance(given, Headers) and given.single_use:
            # The broker has signed this very URL, so it is one of the provider's.
            homes |= origins_of([out.url])
        check(out.url, homes)
        return Send(given, homes, out.url)

    def _counts(self, answer: Answer, sending: Send) -> bool:
        at_home = sending.may_see(origin_of(answer.url), target_of(answer.url))
        return at_home and self.is_refused(answer)


def advance(conversation: Conversation, came: object) -> Step | None:
    """Hand in what came of a step, and return the next one; None at the end."""
    try:
        return conversation.send(came)
    except StopIteration:
        return None

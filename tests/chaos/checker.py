"""Judges a recorded history by the invariants of renewal. Pure: facts in, findings out, nothing else looked at.

I1  at most one token request at a time for one line of tokens, and no refresh token twice, but for a deliberate resend
    after the first sender died or the reply was spoilt
I2  a new refresh token that the provider gave out ends in the database, unless its receiver died first
I3  a customer is blamed only for an end at the provider; `rotation_lost` is said only where a reply was really lost
I4  access and refresh token change together, each version made from the one before it
I5  no token is served before it is durable
I6  everything in use is due at some time
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

# Faults of the sandbox after which the client cannot know what was decided.
SPOILT = frozenset({"drop_after", "drop_before", "cut_body", "stall", "slow_body", "html", "status"})
# A process that died so much later had long stored what it had received.
WINDOW_SECONDS = 15.0
BLAME, OUR_LOSS = "reauthorization_required", "rotation_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One refresh at the provider. Tokens are fingerprints; times are seconds on this machine's clock."""

    number: int
    at: float
    ended: float
    grant: str
    presented: str
    accepted: bool = True
    issued_refresh: str = ""
    issued_access: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One credential as it was committed."""

    connection: str
    version: int
    refresh: str
    access: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A connection's state from then on."""

    connection: str
    state: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The intent to send, made durable by one process. due is when it should have been; 0 for a resend at once."""

    connection: str
    pid: int
    at: float
    due: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    at: float
    pid: int
    point: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An access token that a caller was given."""

    connection: str
    version: int
    access: str
    at: float


@dataclass(slots=True, kw_only=True)
class History:
    """What was recorded. orphans are fingerprints of refresh tokens; ended are grants that the test itself ended.

    refused are the connections whose stored refresh token the provider would not take in the end, forgotten those that
    nobody would ever have come back to. patience is how long a sender waits for an answer.
    """

    requests: list[Request] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    sendings: list[Sending] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    orphans: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    forgotten: frozenset[str] = frozenset()
    patience: float = float("inf")


@dataclass(slots=True, kw_only=True)
class Findings:
    """What is wrong, each as a sentence, by what it breaks. A loss that was told and explained is in `lost` alone."""

    lost: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    blamed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)


def check(history: History) -> Findings:
    """Return everything in this history that must not be."""
    known = _Known(history)
    found = Findings()
    found.doubled = list(_doubled(known))
    found.dropped = list(_dropped(known))
    found.blamed = list(_blamed(known))
    found.mixed = list(_mixed(known))
    found.early = list(_early(known))
    found.forgotten = [f"I6: {one} is in use and nobody renews it" for one in sorted(history.forgotten)]
    _losses(known, found)
    return found


class _Known:
    """The history, indexed: which connection a token is of, who sent a request, what became of a reply."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.of_refresh = {one.refresh: one.connection for one in history.versions}
        self.kept = set(self.of_refresh) | history.orphans
        self.versions: dict[str, list[Version]] = defaultdict(list)
        for version in history.versions:
            self.versions[version.connection].append(version)
        self.requests: dict[str, list[Request]] = defaultdict(list)
        for request in sorted(history.requests, key=lambda one: one.at):
            self.requests[self.of_refresh.get(request.presented, request.grant)].append(request)
        self._sendings: dict[str, list[Sending]] = defaultdict(list)
        for sending in history.sendings:
            self._sendings[sending.connection].append(sending)
        self._deaths = {kill.pid: kill.at for kill in history.kills}

    def died_with(self, request: Request, *, before: float = float("inf")) -> bool:
        """Whether the process that sent this request was killed too soon after to have stored what came back."""
        sender = self._sender(request)
        died = self._deaths.get(sender.pid, 0.0) if sender else 0.0
        return request.at - 0.1 <= died <= min(before, request.at + WINDOW_SECONDS)

    def _sender(self, request: Request) -> Sending | None:
        known = self._sendings.get(self.of_refresh.get(request.presented, ""), [])
        earlier = [one for one in known if one.at <= request.at]
        return max(earlier, key=lambda one: one.at) if earlier else None

    def unheard(self, request: Request, *, before: float = float("inf")) -> bool:
        """Whether the sender cannot have known what came of it."""
        gave_up = request.ended - request.at >= 0.9 * self.history.patience
        return gave_up or request.fault in SPOILT or self.died_with(request, before=before)

    def reply_lost(self, connection: str, until: float) -> bool:
        """Whether a new refresh token of this connection was given out by then that nobody could store."""
        return any(
            one.accepted and one.issued_refresh not in self.kept and self.unheard(one) and one.at <= until
            for one in self.requests.get(connection, ())
        )

    def ended_by_the_test(self, connection: str) -> bool:
        return any(one.grant in self.history.ended for one in self.requests.get(connection, ()))


def _doubled(known: _Known) -> Iterator[str]:
    for connection, requests in known.requests.items():
        for first, second in pairwise(requests):
            again = first.accepted and second.presented == first.presented and second.at >= first.ended
            together = second.at < first.ended
            if (again or together) and not known.unheard(first, before=second.at):
                what = "while the first was being answered" if together else "though the first was answered"
                yield f"I1: {connection} requests {first.number} and {second.number}, {what}"


def _dropped(known: _Known) -> Iterator[str]:
    for connection, requests in known.requests.items():
        for one in requests:
            if one.accepted and one.issued_refresh and one.issued_refresh not in known.kept and not known.unheard(one):
                yield f"I2: {connection} the refresh token of request {one.number} was received and is nowhere"


def _blamed(known: _Known) -> Iterator[str]:
    for one in known.history.standings:
        if one.state != BLAME or known.ended_by_the_test(one.connection):
            continue
        if one.reason != OUR_LOSS or not known.reply_lost(one.connection, one.at):
            yield f"I3: {one.connection} is blamed ({one.reason}) although nothing ended at the provider"


def _mixed(known: _Known) -> Iterator[str]:
    made_by = {one.issued_access: one for one in known.history.requests if one.issued_access}
    for connection, versions in known.versions.items():
        for before, after in pairwise(versions):
            request = made_by.get(after.access)
            if request is None:
                yield f"I4: {connection} version {after.version} holds an access token that nobody issued"
            elif after.refresh != (request.issued_refresh or request.presented):
                yield f"I4: {connection} version {after.version} joins tokens of two replies"
            elif request.presented != before.refresh or after.version <= before.version:
                yield f"I4: {connection} version {after.version} was not made from version {before.version}"


def _early(known: _Known) -> Iterator[str]:
    durable = {(one.connection, one.version): one for one in known.history.versions}
    for served in known.history.served:
        version = durable.get((served.connection, served.version))
        if version is None or version.access != served.access or version.at > served.at:
            yield f"I5: {served.connection} version {served.version} was served and not durable"


def _losses(known: _Known, found: Findings) -> None:
    last = {one.connection: one for one in known.history.standings}
    for connection in sorted(known.history.refused):
        standing = last.get(connection)
        if known.ended_by_the_test(connection):
            if standing is None or standing.state != BLAME:
                found.silent.append(f"{connection} was ended by the customer and nobody was told")
            continue
        found.lost.append(f"{connection} holds a refresh token that the provider refuses")
        if standing is None or (standing.state, standing.reason) != (BLAME, OUR_LOSS):
            found.silent.append(f"{connection} is lost and nobody was told")
        if not known.reply_lost(connection, float("inf")):
            found.unexplained.append(f"{connection} is lost although every reply was heard")


def latest(history: History, connections: Iterable[str] | None = None, *, since: float = 0.0) -> float:
    """Return by how many seconds a renewal was late at most: of these connections, or of all; due since then."""
    chosen = None if connections is None else set(connections)
    counted = (one for one in history.sendings if one.due > since and (chosen is None or one.connection in chosen))
    return max((one.at - one.due for one in counted), default=0.0)

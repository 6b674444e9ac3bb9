"""Which issuers are trusted: the rows, read at most every two seconds by a process."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from uuid import UUID

from tenants.models import TrustedIssuer

_FRESH_SECONDS = 2.0
# Beyond this, requests wait for whoever reads: a change has to be everywhere within five seconds.
_TOO_OLD_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """What the tokens of one issuer are checked against. Shape: jwks is JSON, empty where there is an address."""

    id: UUID
    name: str
    issuer: str
    audience: str
    algorithms: frozenset[str]
    jwks_uri: str
    jwks: str
    max_life_seconds: int


def active() -> list[Issuer]:
    """Return the issuers that are trusted now."""
    return [value_of(row) for row in TrustedIssuer.objects.filter(active=True)]


def value_of(row: TrustedIssuer) -> Issuer:
    """Return a row as a value."""
    return Issuer(
        id=row.id,
        name=row.name,
        issuer=row.issuer,
        audience=row.audience,
        algorithms=frozenset(row.algorithms),
        jwks_uri=row.jwks_uri,
        jwks=json.dumps(row.jwks) if row.jwks is not None else "",
        max_life_seconds=row.max_life_seconds,
    )


class TrustedIssuers:
    """Issuers by their `iss`. One that has not changed stays the same object. Thread-safe; one a process."""

    def __init__(
        self, load: Callable[[], Iterable[Issuer]] = active, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._clock = clock
        self._reading = threading.Lock()
        self._by_issuer: dict[str, Issuer] = {}
        self._read_at = -inf

    def get(self, issuer: object) -> Issuer | None:
        """Return the issuer that is meant, if it is trusted. Effects: one query, every two seconds."""
        age = self._clock() - self._read_at
        if age >= _FRESH_SECONDS:
            self._read(wait=age >= _TOO_OLD_SECONDS)
        return self._by_issuer.get(issuer) if isinstance(issuer, str) else None

    def _read(self, *, wait: bool) -> None:
        if not self._reading.acquire(blocking=wait):
            return
        try:
            if self._clock() - self._read_at < _FRESH_SECONDS:
                return
            # The moment before the query: what changes while it runs belongs to the next one.
            began = self._clock()
            found = {each.issuer: each for each in self._load()}
            self._by_issuer = {
                name: old if (old := self._by_issuer.get(name)) == each else each for name, each in found.items()
            }
            self._read_at = began
        finally:
            self._reading.release()

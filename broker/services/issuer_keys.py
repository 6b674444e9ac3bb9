"""Public keys of trusted issuers (RFC 7517): read, fetched through the one door, kept for a while."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import inf

from django.conf import settings
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from broker.errors import IssuerUnavailable
from providers.errors import ProviderError
from providers.outbound import Outbound

logger = logging.getLogger(__name__)
KeySet = Mapping[str, tuple[Key, ...]]
Fetch = Callable[[str], bytes]

_KINDS = ("RSA", "EC", "OKP")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MOST_KEYS = 100
# 2048 bits in base64.
_SHORTEST_MODULUS = 342
FRESH_SECONDS = 600.0
STALE_SECONDS = 86_400.0
# An unknown key id may be made up: it asks the issuer at most once a minute. Without any key nothing works meanwhile.
PAUSE_SECONDS, PAUSE_WITHOUT_KEYS_SECONDS = 60.0, 5.0
# A request holds one of few threads of a web process: it waits shortly, and not many do at once.
WAIT_SECONDS = 2.0
_waiters = threading.BoundedSemaphore(2)


def read(document: object) -> KeySet:
    """Return the usable keys of a JWK set by key id; others, symmetric ones above all, are left out.

    Raises: ValueError when it is no JWK set.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a JWK set: an object with a list `keys`")
    found: dict[str, tuple[Key, ...]] = {}
    for each in listed[:_MOST_KEYS]:
        key = _usable(each)
        if key is not None:
            found[each["kid"]] = (*found.get(each["kid"], ()), key)
    return found


def _usable(each: object) -> Key | None:
    if not isinstance(each, dict) or not isinstance(each.get("kid"), str) or each.get("kty") not in _KINDS:
        return None
    weak = each["kty"] == "RSA" and len(str(each.get("n"))) < _SHORTEST_MODULUS
    if weak or _PRIVATE & each.keys():
        return None
    try:
        return JWKRegistry.import_key(each)
    # Whatever a library says of a key that is malformed: the others are still good.
    except (JoseError, ValueError, TypeError, KeyError):
        return None


@lru_cache(maxsize=64)
def pinned(jwks: str) -> KeySet:
    """Return the keys of a JWK set as it is stored."""
    return read(json.loads(jwks))


class Published:
    """The keys at one address: asked for when needed, by one thread at a time, used on when it does not answer."""

    def __init__(self, address: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: KeySet = {}
        self._fetched_at = self._tried_at = -inf
        self._done: threading.Event | None = None

    def find(self, kid: str) -> tuple[Key, ...]:
        """Return the keys of this id, none when the issuer has none.

        Raises: IssuerUnavailable when no key is known at all, or the issuer does not answer in time, or too many wait.
        Effects: a request to the issuer, in a thread of its own, when the keys are old or the id is unknown.
        """
        found, fetching = self._look(kid)
        if found or fetching is None:
            return found
        if not _waiters.acquire(blocking=False):
            raise IssuerUnavailable(retry_after=1.0)
        try:
            fetching.wait(WAIT_SECONDS)
        finally:
            _waiters.release()
        found, fetching = self._look(kid)
        if not found and fetching is not None:
            raise IssuerUnavailable(retry_after=WAIT_SECONDS)
        return found

    def _look(self, kid: str) -> tuple[tuple[Key, ...], threading.Event | None]:
        with self._lock:
            age = self._clock() - self._fetched_at
            found = self._keys.get(kid, ()) if age < STALE_SECONDS else ()
            if not found or age >= FRESH_SECONDS:
                self._begin()
            if age >= STALE_SECONDS and self._done is None:
                raise IssuerUnavailable(retry_after=PAUSE_WITHOUT_KEYS_SECONDS)
            return found, self._done

    def _begin(self) -> None:
        now = self._clock()
        known = now - self._fetched_at < STALE_SECONDS
        pause = PAUSE_SECONDS if known else PAUSE_WITHOUT_KEYS_SECONDS
        if self._done is None and now - self._tried_at >= pause:
            self._tried_at, self._done = now, threading.Event()
            threading.Thread(target=self._run, args=(self._done,), name="issuer-keys", daemon=True).start()

    def _run(self, done: threading.Event) -> None:
        try:
            keys = read(json.loads(self._fetch(self._address)))
            with self._lock:
                self._keys, self._fetched_at = keys, self._clock()
        except (ProviderError, ValueError, RecursionError) as error:
            # What the peer sent may stand in the message.
            logger.warning("keys of a trusted issuer cannot be fetched", extra={"reason": type(error).__name__})
        finally:
            with self._lock:
                self._done = None
            done.set()


class AllPublished:
    """One `Published` for each address. Thread-safe; one a process."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._by_address: dict[str, Published] = {}

    def at(self, address: str) -> Published:
        with self._lock:
            found = self._by_address.get(address)
            if found is None:
                found = self._by_address[address] = Published(address, self._fetch)
            return found


def fetch(address: str) -> bytes:
    """Return what is published at an address. Raises ProviderError, ValueError."""
    door = Outbound(connect_timeout=3.0, total_timeout=5.0, allow_loopback=settings.ALLOW_LOOPBACK_PROVIDERS)
    answer = door.get(address, {"Accept": "application/jwk-set+json, application/json"}, endpoint="jwks")
    if answer.status != 200:
        raise ValueError("the answer is not a 200")
    return answer.body


published = AllPublished(fetch)

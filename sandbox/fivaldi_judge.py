"""Whether a request to Fivaldi proves which partner it comes from, and how many more are welcome."""

import hmac
import re
import time

import msgspec

from sandbox import fivaldi_signature as signature
from sandbox.fixtures import Kind
from sandbox.received import Received
from sandbox.state import Sandbox

# Not published: assumed.
TOLERANCE_SECONDS = 15 * 60
REPLENISH_RATE, BURST_CAPACITY = 2, 10


class Partner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A partner, the companies it may reach, and whether requests beyond the rate are refused."""

    secret: str
    companies: tuple[str, ...] = ()
    rate_limited: bool = False


class Company(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company, known by its cuid."""

    business_id: str
    name: str


class Bucket(msgspec.Struct, frozen=True):
    """How many requests a partner could still make at an instant."""

    tokens: float
    at: float


class Unauthorized(Exception):
    """A request that proves nothing: why, for the log alone."""


PARTNERS = Kind("fivaldi", "partners", Partner)
COMPANIES = Kind("fivaldi", "companies", Company)
_BUCKETS = Kind("fivaldi", "buckets", Bucket)


def proven_partner(sandbox: Sandbox, request: Received) -> Partner:
    """The partner that signed the request.

    Raises: Unauthorized.
    """
    for name in (signature.PARTNER, signature.TIMESTAMP, "authorization"):
        if len(request.values(name)) != 1:
            raise Unauthorized(f"{name} is there {len(request.values(name))} times")
    check_time(request, time.time())
    partner = sandbox.fixtures.find(PARTNERS, request.text(signature.PARTNER))
    if partner is None:
        raise Unauthorized("unknown partner")
    check_signature(request, partner)
    return partner


def check_time(request: Received, now: float) -> None:
    """Nothing when the timestamp is of now, in seconds since the epoch.

    Raises: Unauthorized.
    """
    timestamp = request.text(signature.TIMESTAMP)
    if not re.fullmatch(r"[0-9]{1,11}", timestamp):
        raise Unauthorized("the timestamp is no number of seconds")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise Unauthorized("the timestamp is too old or in the future")


def check_signature(request: Received, partner: Partner) -> None:
    """Nothing when the request was signed with the partner's secret.

    Raises: Unauthorized.
    """
    right = signature.authorization(request, partner.secret)
    if not hmac.compare_digest(right.encode(), b"".join(request.values("authorization"))):
        raise Unauthorized("the signature is wrong")


def rate_headers(remaining: int) -> dict[str, str]:
    """The headers of every reply."""
    return {
        "X-RateLimit-Replenish-Rate": str(REPLENISH_RATE),
        "X-RateLimit-Burst-Capacity": str(BURST_CAPACITY),
        "X-RateLimit-Remaining": str(remaining),
    }


def remaining(sandbox: Sandbox, name: str) -> int:
    """How many requests the partner may make at once after this one; -1 when this one was too many."""
    now = time.time()
    bucket = sandbox.fixtures.find(_BUCKETS, name) or Bucket(BURST_CAPACITY, now)
    tokens = min(BURST_CAPACITY, bucket.tokens + (now - bucket.at) * REPLENISH_RATE)
    taken = tokens >= 1
    sandbox.fixtures.put(_BUCKETS, name, Bucket(tokens - 1 if taken else tokens, now))
    return int(tokens) - 1 if taken else -1

"""Who calls: API keys, and whoever stands for one. What they may do is for `policy`."""

import hashlib
import hmac
import re
import secrets
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from broker.errors import Unauthenticated
from broker.services import policy, workload_identity
from broker.services.policy import Grant
from broker.services.strangers import strangers
from broker.services.workload_identity import TokenRefused
from tenants.models import ApiKey, Caller
from tenants.querysets import hand_out
from tenants.querysets.hand_out import HandOut

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY_ID_LENGTH, _SECRET_LENGTH = 12, 43
_NOT_SAID: frozenset[UUID] = frozenset()
_FORM = re.compile(
    rf"brk_([A-Za-z0-9]{{1,16}})_([0-9A-Za-z]{{{_KEY_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})_([0-9a-f]{{8}})"
)


class By(NamedTuple):
    """Who read something, as it is written down. Shape: as in PresentedKey."""

    key_id: str
    source: str
    on_behalf_of: str


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a request carries it, its form and checksum right, nothing else known yet; or a workload that proved
    its identity, which has a key_id and a secret_hash as a key has.

    Shape:  source is the address that the request came from, empty where there is none (a unix socket, a command).
            on_behalf_of is the user for whom the caller says that it asks, empty when it does not say.
    """

    key_id: str
    secret_hash: bytes
    source: str = ""
    on_behalf_of: str = ""

    @property
    def by(self) -> By:
        return By(self.key_id, self.source, self.on_behalf_of)


def create_key(caller: Caller, *, expires_days: int, networks: Sequence[str] = ()) -> tuple[ApiKey, str]:
    """Return the row and the key in clear: the only moment at which it can be seen. Effects: one row."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_ID_LENGTH))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    row = ApiKey.objects.create(
        caller=caller,
        key_id=key_id,
        secret_hash=_hash(secret),
        networks=list(networks),
        expires_at=timezone.now() + timedelta(days=expires_days),
    )
    body = f"brk_{settings.BROKER_ENVIRONMENT}_{key_id}_{secret}"
    return row, f"{body}_{zlib.crc32(body.encode()):08x}"


def parse(authorization: str | None, source: str = "", on_behalf_of: str = "") -> PresentedKey:
    """Read `Authorization: Bearer` with an API key or a JWT. A mistyped key costs no query, a JWT hardly ever one.

    Raises: Unauthenticated, IssuerUnavailable.
    """
    scheme, _, value = (authorization or "").partition(" ")
    text = value.strip() if scheme.lower() == "bearer" else ""
    form = _FORM.fullmatch(text)
    if form is not None:
        return _key(form, source, on_behalf_of)
    if workload_identity.looks_like_token(text):
        return _workload(text, source, on_behalf_of)
    raise Unauthenticated("send `Authorization: Bearer` with an API key of this broker (brk_...) or a JWT")


def _key(form: re.Match[str], source: str, on_behalf_of: str) -> PresentedKey:
    environment, key_id, secret, checksum = form.groups()
    body = f"brk_{environment}_{key_id}_{secret}"
    if f"{zlib.crc32(body.encode()):08x}" != checksum or environment != settings.BROKER_ENVIRONMENT:
        raise Unauthenticated("this is not an API key of this broker")
    return PresentedKey(key_id, _hash(secret), source, on_behalf_of)


def _workload(token: str, source: str, on_behalf_of: str) -> PresentedKey:
    # Verifying costs as much as looking a key up, so strangers' tokens are counted as their keys are.
    mark = _hash(token)
    strangers.check(mark, source)
    try:
        proven = workload_identity.verify(token, now=time.time())
    except TokenRefused as error:
        strangers.bad(mark, source)
        raise policy.stranger("", source, reason=str(error)) from None
    strangers.good(mark)
    return PresentedKey(proven.key_id, proven.secret_hash, source, on_behalf_of)


def authenticate(presented: PresentedKey) -> Grant:
    """Return what the key's caller may do. Raises RateLimited, and as `enter`. Effects: one query, and as `enter`."""
    strangers.check(presented.secret_hash, presented.source)
    row, tenant_ids = hand_out.for_caller(presented.key_id)
    return enter(presented, row, tenant_ids=tenant_ids)


def enter(
    presented: PresentedKey, row: HandOut | None, cost: int = 1, *, tenant_ids: frozenset[UUID] | None = _NOT_SAID
) -> Grant:
    """Return what a caller may do by the columns of its key, which each query of a hand-out begins with.

    Shape:  cost is how many requests this is. Without tenant_ids the Grant has none: `tenant_allowed` of a row says it.
    Raises: Unauthenticated, the same for unknown, wrong, expired and revoked; SourceNotAllowed, CallerThrottled,
            RateLimited.
    Effects: the requests are counted.
    """
    stored = bytes(row.secret_hash) if row else bytes(32)
    right = hmac.compare_digest(stored, presented.secret_hash)
    if row is None or not right or not row.key_usable:
        strangers.bad(presented.secret_hash, presented.source)
        raise policy.stranger(presented.key_id, presented.source)
    strangers.good(presented.secret_hash)
    grant = Grant(
        caller_id=row.caller_id,
        caller_name=row.caller_name,
        key_id=presented.key_id,
        operations=row.operations,
        providers=row.providers,
        tenant_ids=tenant_ids,
        source=presented.source,
        on_behalf_of=presented.on_behalf_of,
    )
    policy.enter(
        grant,
        allowed_from=row.networks,
        throttled_seconds=row.throttled_seconds,
        per_minute=row.rate_per_minute,
        cost=cost,
    )
    return grant


def note_use(key_ids: set[str]) -> None:
    """Remember that these keys were used. Effects: one statement, off the request's path."""
    ApiKey.objects.filter(key_id__in=key_ids).update(last_used_at=timezone.now())


def revoke_key(key_id: str) -> bool:
    """Refuse this key from now on, on every process: each request reads the row."""
    return bool(ApiKey.objects.filter(key_id=key_id, revoked_at=None).update(revoked_at=Now()))


def active_keys(caller: Caller) -> int:
    """Return how many API keys of a caller are neither revoked nor expired."""
    return ApiKey.objects.filter(caller=caller, issuer=None, revoked_at=None, expires_at__gt=Now()).count()


def _hash(secret: str) -> bytes:
    # What a header holds beyond ASCII is no token, but has a hash all the same.
    return hashlib.sha256(secret.encode(errors="replace")).digest()

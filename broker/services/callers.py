"""Who calls: API keys, and whoever stands for one. What they may do is for `policy`."""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from broker.errors import Unauthenticated
from broker.services.policy import Grant
from tenants.models import ApiKey, Caller

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY_ID_LENGTH, _SECRET_LENGTH = 12, 43
_FORM = re.compile(
    rf"brk_([A-Za-z0-9]{{1,16}})_([0-9A-Za-z]{{{_KEY_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})_([0-9a-f]{{8}})"
)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a request carries it, its form and checksum right, nothing else known yet.

    Shape:  source is the address that the request came from, empty where there is none (a unix socket, a command).
    """

    key_id: str
    secret_hash: bytes
    source: str = ""


def create_key(caller: Caller, *, expires_days: int) -> tuple[ApiKey, str]:
    """Return the row and the key in clear: the only moment at which it can be seen. Effects: one row."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_ID_LENGTH))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    row = ApiKey.objects.create(
        caller=caller,
        key_id=key_id,
        secret_hash=_hash(secret),
        expires_at=timezone.now() + timedelta(days=expires_days),
    )
    body = f"brk_{settings.BROKER_ENVIRONMENT}_{key_id}_{secret}"
    return row, f"{body}_{zlib.crc32(body.encode()):08x}"


def parse(authorization: str | None, source: str = "") -> PresentedKey:
    """Read `Authorization: Bearer brk_...`. Raises Unauthenticated; a mistyped key costs no query."""
    scheme, _, value = (authorization or "").partition(" ")
    form = _FORM.fullmatch(value.strip()) if scheme.lower() == "bearer" else None
    if form is None:
        raise Unauthenticated("send `Authorization: Bearer brk_...` with an API key of this broker")
    environment, key_id, secret, checksum = form.groups()
    body = f"brk_{environment}_{key_id}_{secret}"
    if f"{zlib.crc32(body.encode()):08x}" != checksum or environment != settings.BROKER_ENVIRONMENT:
        raise Unauthenticated("this is not an API key of this broker")
    return PresentedKey(key_id, _hash(secret), source)


def authenticate(presented: PresentedKey) -> Grant:
    """Return what the key's caller may do. Raises Unauthenticated, the same for unknown, wrong, expired and revoked."""
    row = ApiKey.objects.select_related("caller").filter(key_id=presented.key_id).first()
    stored = bytes(row.secret_hash) if row else bytes(32)
    right = hmac.compare_digest(stored, presented.secret_hash)
    if row is None or not right or not _usable(row):
        raise Unauthenticated()
    caller = row.caller
    tenant_ids = None if caller.all_tenants else frozenset(caller.tenants.values_list("id", flat=True))
    return Grant(
        caller_id=caller.id,
        caller_name=caller.name,
        key_id=row.key_id,
        operations=frozenset(caller.operations),
        providers=frozenset(caller.providers),
        tenant_ids=tenant_ids,
        source=presented.source,
    )


def note_use(key_ids: set[str]) -> None:
    """Remember that these keys were used. Effects: one statement, off the request's path."""
    ApiKey.objects.filter(key_id__in=key_ids).update(last_used_at=timezone.now())


def revoke_key(key_id: str) -> bool:
    """Refuse this key from now on, on every process: each request reads the row."""
    return bool(ApiKey.objects.filter(key_id=key_id, revoked_at=None).update(revoked_at=Now()))


def _usable(row: ApiKey) -> bool:
    return row.revoked_at is None and row.expires_at > timezone.now() and row.caller.active


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

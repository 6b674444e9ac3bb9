"""Seal and open bytes: envelope encryption, one data key a tenant, every record bound to its place.

Record, format 1: version (1) | data key id (16) | salt (16) | commitment (32) | nonce (12) | ciphertext | tag (16).
HKDF-SHA256 over the data key, with the record's salt, gives the record key and a key commitment: AES-GCM alone
does not say which key sealed a value. The associated data binds environment, tenant, row, field and fence, so that a
value copied to another row, tenant, field or version does not open. There is no plaintext mode and no trial of keys.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenants.errors import SealBroken
from tenants.expiring import Expiring
from tenants.keyring import KEY_BYTES, NONCE_BYTES, Keyring

FORMAT = b"\x01"
SALT_BYTES = 16
COMMITMENT_BYTES = 32
_HEADER = 1 + 16 + SALT_BYTES + COMMITMENT_BYTES + NONCE_BYTES
_PLATFORM = UUID(int=0)
_LENGTH_8, _LENGTH_16 = (8).to_bytes(4, "big"), (16).to_bytes(4, "big")
_SHA256 = SHA256()
_CACHE_SIZE = 1000
_CACHE_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SealContext:
    """The place a sealed value belongs to. tenant_id None stands for the platform itself."""

    tenant_id: UUID | None
    row_id: UUID
    field: str
    fence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A data key as its row holds it."""

    id: UUID
    tenant_id: UUID | None
    kek_version: str
    wrapped: bytes


class _Opened(NamedTuple):
    """A data key in memory, with the key for fingerprints that is made of it."""

    key: WrappedKey
    data_key: bytes
    index_key: bytes


class Vault:
    """Seals and opens for one environment. Opened data keys stay in memory for five minutes, at most 1,000."""

    def __init__(self, keyring: Keyring, environment: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.keyring = keyring
        self._environment = environment.encode()
        self._head = _length_prefixed(FORMAT, self._environment)
        self._kept: Expiring[UUID, _Opened] = Expiring(seconds=lambda: _CACHE_SECONDS, most=_CACHE_SIZE, clock=clock)

    def new_data_key(self, key_id: UUID, tenant_id: UUID | None) -> WrappedKey:
        """Return a fresh random data key, wrapped by the newest key-encryption key."""
        return self._wrap(key_id, tenant_id, os.urandom(KEY_BYTES))

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """Return the same data key, wrapped by the newest key-encryption key. Raises as `open` does."""
        return self._wrap(key.id, key.tenant_id, self._unwrap(key))

    def seal(self, key: WrappedKey, context: SealContext, plaintext: bytes) -> bytes:
        """Return a sealed record for exactly this place."""
        salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
        aad = self._associated_data(key.id, context)
        record_key, commitment = _derive(self._data_key(key), salt, aad)
        head = FORMAT + key.id.bytes + salt + commitment + nonce
        return head + AESGCM(record_key).encrypt(nonce, plaintext, aad)

    def open(self, key: WrappedKey, context: SealContext, sealed: bytes) -> bytes:
        """Return the plaintext. Raises SealBroken (also for a wrong place) and KeyUnavailable."""
        sealed = bytes(sealed)
        if sealed[:1] != FORMAT or sealed[1:17] != key.id.bytes or len(sealed) < _HEADER + 16:
            raise SealBroken("a sealed value is malformed, or names another data key")
        salt, commitment, nonce = sealed[17:33], sealed[33:65], sealed[65:77]
        aad = self._associated_data(key.id, context)
        record_key, expected = _derive(self._data_key(key), salt, aad)
        if not hmac.compare_digest(commitment, expected):
            raise SealBroken("a sealed value does not belong here")
        try:
            return AESGCM(record_key).decrypt(nonce, sealed[_HEADER:], aad)
        except InvalidTag:
            raise SealBroken("a sealed value does not belong here") from None

    def fingerprint(self, key: WrappedKey, secret: bytes) -> bytes:
        """Return 16 bytes that tell whether two secrets of one tenant are equal, and nothing else."""
        return hmac.digest(self._opened(key).index_key, secret, "sha256")[:16]

    def derived(self, key: WrappedKey, purpose: bytes) -> bytes:
        """Return 32 bytes for one purpose, the same each time: a key that vouches for rows instead of sealing them."""
        return HKDF(SHA256(), KEY_BYTES, None, b"purpose " + purpose).derive(self._data_key(key))

    def _wrap(self, key_id: UUID, tenant_id: UUID | None, data_key: bytes) -> WrappedKey:
        version, wrapped = self.keyring.wrap(data_key, self._wrap_context(key_id, tenant_id))
        return WrappedKey(id=key_id, tenant_id=tenant_id, kek_version=version, wrapped=wrapped)

    def _unwrap(self, key: WrappedKey) -> bytes:
        return self.keyring.unwrap(key.kek_version, bytes(key.wrapped), self._wrap_context(key.id, key.tenant_id))

    def _data_key(self, key: WrappedKey) -> bytes:
        return self._opened(key).data_key

    def _opened(self, key: WrappedKey) -> _Opened:
        kept = self._kept.get(key.id)
        # The whole row is part of the entry: a re-wrapped or tampered one is unwrapped anew, never trusted.
        if kept is not None and _same(kept.key, key):
            return kept
        data_key = self._unwrap(key)
        index_key = HKDF(_SHA256, KEY_BYTES, None, b"fingerprint").derive(data_key)
        opened = _Opened(key, data_key, index_key)
        self._kept.keep(key.id, opened)
        return opened

    def _wrap_context(self, key_id: UUID, tenant_id: UUID | None) -> bytes:
        return _length_prefixed(b"data-key", self._environment, (tenant_id or _PLATFORM).bytes, key_id.bytes)

    def _associated_data(self, key_id: UUID, context: SealContext) -> bytes:
        # Each part with its length before it, as _length_prefixed does; by hand, because every token asks for it.
        field = context.field.encode()
        return b"".join(
            (
                self._head,
                _LENGTH_16,
                (context.tenant_id or _PLATFORM).bytes,
                _LENGTH_16,
                context.row_id.bytes,
                len(field).to_bytes(4, "big"),
                field,
                _LENGTH_8,
                context.fence.to_bytes(8, "big"),
                _LENGTH_16,
                key_id.bytes,
            )
        )


def _same(one: WrappedKey, other: WrappedKey) -> bool:
    """Tell whether two keys of one id are equal. By hand, because every token asks for it."""
    same = one.wrapped == other.wrapped and one.kek_version == other.kek_version
    return same and one.tenant_id == other.tenant_id


def _derive(data_key: bytes, salt: bytes, aad: bytes) -> tuple[bytes, bytes]:
    info = b"record" + hashlib.sha256(aad).digest()
    material = HKDF(_SHA256, KEY_BYTES + COMMITMENT_BYTES, salt, info).derive(data_key)
    return material[:KEY_BYTES], material[KEY_BYTES:]


def _length_prefixed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

"""Where key-encryption keys come from, by version.

A keyring is text, one `version:base64` a line (commas work too), the newest last. The key is always chosen by its
version, never by trial. A cloud KMS can stand behind the same two methods, wrap and unwrap.
"""

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants.errors import KeyringInvalid, KeyUnavailable, SealBroken

KEY_BYTES = 32
NONCE_BYTES = 12
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,32}")


@dataclass(frozen=True, slots=True)
class Keyring:
    """Versioned key-encryption keys (AES-256-GCM). `newest` wraps, any version unwraps."""

    newest: str
    _keys: Mapping[str, AESGCM] = field(repr=False)

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def wrap(self, data_key: bytes, context: bytes) -> tuple[str, bytes]:
        """Return (version, wrapped): nonce of 12 bytes, ciphertext, tag of 16 bytes."""
        nonce = os.urandom(NONCE_BYTES)
        return self.newest, nonce + self._keys[self.newest].encrypt(nonce, data_key, context)

    def unwrap(self, version: str, wrapped: bytes, context: bytes) -> bytes:
        """Return the data key. Raises KeyUnavailable, SealBroken."""
        key = self._keys.get(version)
        if key is None:
            raise KeyUnavailable(f"key-encryption key version {version!r} is not in the keyring")
        try:
            return key.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise SealBroken("a wrapped data key does not open under its key-encryption key") from None


def parse(text: str) -> Keyring:
    """Read a keyring from its text form. Raises KeyringInvalid, naming the line but never the key."""
    entries = [line for line in re.split(r"[\n,]", text) if line.strip() and not line.lstrip().startswith("#")]
    keys: dict[str, AESGCM] = {}
    seen: set[bytes] = set()
    for number, entry in enumerate(entries, start=1):
        version, key = _parse_entry(number, entry.strip())
        if version in keys:
            raise KeyringInvalid(f"keyring entry {number}: version {version!r} appears twice")
        if key in seen:
            raise KeyringInvalid(f"keyring entry {number} ({version!r}) is an earlier version's key again")
        seen.add(key)
        keys[version] = AESGCM(key)
    if not keys:
        raise KeyringInvalid("the keyring is empty; expected `version:base64` of 32 random bytes a line, newest last")
    return Keyring(newest=version, _keys=keys)


def _parse_entry(number: int, entry: str) -> tuple[str, bytes]:
    version, separator, encoded = entry.partition(":")
    if not separator or not _VERSION.fullmatch(version):
        raise KeyringInvalid(f"keyring entry {number} is not of the form `version:base64`")
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error, or a character beyond ASCII
        raise KeyringInvalid(f"keyring entry {number} ({version!r}) is not base64") from None
    if len(key) != KEY_BYTES:
        raise KeyringInvalid(f"keyring entry {number} ({version!r}) holds {len(key)} bytes; expected {KEY_BYTES}")
    if len(set(key)) < 8:
        raise KeyringInvalid(f"keyring entry {number} ({version!r}) is not random")
    return version, key

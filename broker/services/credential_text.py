"""A credential as the text that is sealed, and back: the only place where its secrets are strings in a structure."""

import json
from typing import Any

import msgspec

from providers.messages import EnteredCredential, OAuthCredential, Secret, StoredCredential


def encode(credential: StoredCredential) -> bytes:
    """Return the plaintext that is sealed."""
    if isinstance(credential, EnteredCredential):
        return json.dumps({"entered": _values(credential)}).encode()
    fields: dict[str, object] = {
        "access_token": credential.access_token.reveal(),
        "token_type": credential.token_type,
        "refresh_token": credential.refresh_token.reveal() if credential.refresh_token else None,
        "scope": list(credential.scope),
        "extras": dict(credential.extras),
    }
    if credential.entered is not None:
        fields["entered"] = _values(credential.entered)
    return json.dumps(fields).encode()


def decode(plaintext: bytes) -> StoredCredential:
    """Return what was encoded: tokens, or what a customer typed in."""
    fields: dict[str, Any] = msgspec.json.decode(plaintext)
    entered = _entered(fields["entered"]) if "entered" in fields else None
    if "access_token" not in fields:
        assert entered is not None
        return entered
    return OAuthCredential(
        access_token=Secret(fields["access_token"]),
        token_type=fields["token_type"],
        refresh_token=Secret(fields["refresh_token"]) if fields["refresh_token"] else None,
        scope=tuple(fields["scope"]),
        extras=fields["extras"],
        entered=entered,
    )


def decode_tokens(plaintext: bytes) -> OAuthCredential:
    """As decode, where only tokens can be."""
    credential = decode(plaintext)
    assert isinstance(credential, OAuthCredential)
    return credential


def _values(credential: EnteredCredential) -> dict[str, str]:
    return {name: value.reveal() for name, value in credential.fields.items()}


def _entered(values: dict[str, str]) -> EnteredCredential:
    return EnteredCredential(fields={name: Secret(value) for name, value in values.items()})

"""What can go wrong while remembering.

TenantsError
├── KeyringInvalid    the configured key-encryption keys cannot be used: refuse to start
├── KeyUnavailable    a sealed value names a key that this process does not have: operators act
└── SealBroken        a sealed value is not what was stored, or not for this row: operators act, at once

None of them is ever the customer's fault and none is retried silently.
"""


class TenantsError(Exception):
    """Root of this room's failures. Messages name keys and rows, never contents."""


class KeyringInvalid(TenantsError):
    """The keyring setting is missing, malformed, or holds a key of the wrong length."""


class KeyUnavailable(TenantsError):
    """The key-encryption key version that wraps a data key is not in the keyring."""


class SealBroken(TenantsError):
    """One class for every unsealing failure, so that the answer tells an attacker nothing."""

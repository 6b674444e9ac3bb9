"""The values that a renewal passes from step to step."""

import enum
from dataclasses import dataclass, field

from providers.definition import Traits
from providers.interface import Renews
from providers.messages import ClientRegistration as Registration
from providers.messages import OAuthCredential, TokenResponse
from tenants.models import Connection, DataKey
from tenants.querysets.slots import Claim


class Outcome(enum.Enum):
    RENEWED = "renewed"
    FRESH = "fresh"
    BUSY = "busy"
    HELD = "held"
    SUSPECT = "suspect"
    RIGHT_MISSING = "right_missing"
    ACCOUNT_UNVERIFIED = "account_unverified"
    INVALID_SCOPE = "invalid_scope"
    DEAD = "dead"
    CLIENT_REJECTED = "client_rejected"
    UNAVAILABLE = "unavailable"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    STORAGE_FAULT = "storage_fault"
    FENCE_LOST = "fence_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One renewal, ready to be sent: nothing that can fail on our side is left.

    Shape:  registrations are the ways to authenticate, in the order to try them: more than one while a client secret
            is being replaced. data_key seals what comes back, known before anything is sent. confirmed: the
            provider's API has refused the access token already. chance is a number from 0 to 1, for jitter.
    Units:  marked_at in seconds of the monotonic clock: when the intent to send became durable, at the earliest.
    """

    claim: Claim
    connection: Connection
    provider: Renews
    registrations: tuple[Registration, ...]
    credential: OAuthCredential
    traits: Traits
    data_key: DataKey
    confirmed: bool
    chance: float
    marked_at: float = 0.0


class NotSent(Exception):
    """It was too late, or the process is ending: nothing has left, and the claim goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a request: a response or an error, never both. Units: elapsed_seconds since it left.

    Shape:  registration is the place of the registration that was used last, counted from the first to be tried.
    """

    attempt: Attempt
    response: TokenResponse | None = field(default=None, repr=False)
    error: Exception | None = None
    elapsed_seconds: float = 0.0
    registration: int = 0

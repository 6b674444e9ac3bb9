"""What a route says of itself beside its schemas: which refusals it knows. `document` makes OpenAPI of it."""

from typing import Annotated, Any

from ninja import Query

from broker import errors
from broker.errors import BrokerError

Refusal = type[BrokerError]
Label = Annotated[str | None, Query(description="Which of several connections of the tenant at this provider.")]

TOKENS, CONNECTING, CONNECTIONS, EVENTS, DIRECTORY = "Tokens", "Connect links", "Connections", "Events", "Directory"
TAGS = {
    TOKENS: "Valid access tokens and ready-made headers, and what to say when one does not work.",
    CONNECTING: "Links with which customers connect their systems, or repair a connection.",
    CONNECTIONS: "What is connected, how it stands, and its end.",
    EVENTS: "What changes: as a list, and sent to webhook endpoints.",
    DIRECTORY: "Which tenants and providers there are for a caller.",
}

# Of every route: who calls, whether they may, how often, and what no route is without.
OF_EVERY_ROUTE: tuple[Refusal, ...] = (
    errors.InvalidRequest,
    errors.Unauthenticated,
    errors.IssuerUnavailable,
    errors.Forbidden,
    errors.SourceNotAllowed,
    errors.RateLimited,
    errors.CallerThrottled,
    errors.BrokerUnavailable,
    errors.InternalError,
)
# Of routes that take a body; of those that take an Idempotency-Key.
OF_A_BODY: tuple[Refusal, ...] = (errors.BodyTooLarge,)
OF_A_KEY: tuple[Refusal, ...] = (errors.IdempotencyKeyReused, errors.IdempotentRequestAtWork)
# Whatever keeps a credential from being handed out.
NOT_SERVED: tuple[Refusal, ...] = (
    errors.ConnectionNotFound,
    errors.ConnectionPending,
    errors.ConnectionDisconnected,
    errors.ConnectionSuspended,
    errors.ReauthorizationRequired,
    errors.RightMissing,
    errors.AccountUnverified,
    errors.OperationUnsupported,
    errors.ProviderNotAvailable,
    errors.RenewalInProgress,
    errors.ProviderUnavailableNow,
    errors.RegistrationRejected,
    errors.ProviderResponseUnusable,
    errors.StorageFault,
)


def described(*refusals: Refusal, waits: bool = False) -> dict[str, Any]:
    """Return the `openapi_extra` of a route: the refusals of its own, those of every route left out.

    waits: it may wait for a renewal, and takes Prefer and X-Request-Deadline. Idempotency-Key is its decorator's.
    """
    return {"x-refusals": refusals, "x-waits": waits}

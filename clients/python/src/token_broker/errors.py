"""What can go wrong, one class for each thing a program does about it.

TokenBrokerError
├── BrokerUnreachable                the broker did not answer in time: nobody's fault, try again
├── ForeignOrigin                    the request would carry the headers to somebody else
├── BodyNotReadable                  a request has to be signed, and its body can be read only once
├── WebhookRefused                   a webhook that the broker did not send, or an old one
└── Refused                          the broker said no: .code, .action, .retryable
    ├── NotAllowed                   the API key, or what it may do
    ├── InvalidRequest               a mistake on our side
    │   └── UnsupportedOperation     the provider cannot do that
    ├── NotFound                     no such connection, tenant, session
    ├── ScopeMissing                 the token lacks a scope that the call needs
    ├── CustomerNeeded               only the customer can help
    │   ├── ReauthorizationRequired  ... by opening .connect_url
    │   └── ProviderSideMissing      ... in the provider's own program
    ├── Disconnected, Suspended      ended on purpose, stopped by staff
    └── TryLater                     busy, throttled, provider down: .retry_after
        └── BrokerFault              something is wrong inside the broker
"""

from collections.abc import Mapping
from typing import Any


class TokenBrokerError(Exception):
    """Root of everything that this package raises on its own account."""

    retryable = False


class BrokerUnreachable(TokenBrokerError):
    """The broker gave no answer within the time that there was."""

    retryable = True


class ForeignOrigin(TokenBrokerError):
    """The request goes to another origin than the provider's API. Nothing was sent."""


class BodyNotReadable(TokenBrokerError):
    """The provider wants requests signed with their body, and this body can be read only once. Nothing was sent."""


class WebhookRefused(TokenBrokerError):
    """The webhook is not the broker's, was changed, or is too old."""


class Refused(TokenBrokerError):
    """The broker's answer is a problem document (RFC 9457).

    connect_url is a secret link for one customer: it is here and in no text that is logged.
    """

    def __init__(self, detail: str = "", problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.problem = dict(problem or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.args[0]}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.code}>"

    @property
    def code(self) -> str:
        return str(self.problem.get("code", "unknown"))

    @property
    def status(self) -> int:
        return int(self.problem.get("status", 0))

    @property
    def action(self) -> str:
        """What a program does next; docs/errors.md of the broker lists the words."""
        return str(self.problem.get("action", ""))

    @property
    def retryable(self) -> bool:  # type: ignore[override]
        return self.problem.get("retryable") is True

    @property
    def retry_after(self) -> float | None:
        """In seconds."""
        found = self.problem.get("retry_after")
        return float(found) if isinstance(found, int | float) else None

    @property
    def connect_url(self) -> str | None:
        found = self.problem.get("connect_url")
        return found if isinstance(found, str) else None

    @property
    def reason(self) -> str:
        return str(self.problem.get("reason", ""))


class NotAllowed(Refused):
    """The API key is not good, or may not do that."""


class InvalidRequest(Refused):
    """A mistake of the calling side; repeating it changes nothing."""


class UnsupportedOperation(InvalidRequest):
    """The provider cannot do that."""

    @property
    def supported(self) -> tuple[str, ...]:
        """What it can."""
        return tuple(self.problem.get("supported", ()))


class NotFound(Refused):
    """There is no such thing, or it is somebody else's."""


class ScopeMissing(Refused):
    """The token lacks a scope that the call needs: ask the customer for more rights."""


class CustomerNeeded(Refused):
    """Only the customer can help."""


class ReauthorizationRequired(CustomerNeeded):
    """The customer must connect, or connect again: send them to connect_url."""


class ProviderSideMissing(CustomerNeeded):
    """Something has to be done in the provider's own program; connecting again would not help."""


class Disconnected(Refused):
    """The connection was ended on purpose."""


class Suspended(Refused):
    """Staff stopped the connection."""


class TryLater(Refused):
    """It is nobody's turn: ask again after retry_after."""


class BrokerFault(TryLater):
    """Something is wrong inside the broker, or with its registration at the provider."""


_BY_CODE: dict[str, type[Refused]] = {
    "unauthenticated": NotAllowed,
    "forbidden": NotAllowed,
    "source_not_allowed": NotAllowed,
    "caller_throttled": NotAllowed,
    "unsupported_operation": UnsupportedOperation,
    "connection_not_found": NotFound,
    "tenant_not_found": NotFound,
    "connect_session_not_found": NotFound,
    "webhook_endpoint_not_found": NotFound,
    "webhook_delivery_not_found": NotFound,
    "scope_missing": ScopeMissing,
    "reauthorization_required": ReauthorizationRequired,
    "connection_pending": ReauthorizationRequired,
    "right_missing": ProviderSideMissing,
    "account_unverified": ProviderSideMissing,
    "connection_disconnected": Disconnected,
    "connection_suspended": Suspended,
    "rate_limited": TryLater,
    "renewal_in_progress": TryLater,
    "provider_unavailable": TryLater,
    "broker_unavailable": TryLater,
    "idempotent_request_at_work": TryLater,
}


def of_problem(problem: Mapping[str, Any], status: int) -> Refused:
    """Return the exception for a problem document. A code that this version does not know goes by its status."""
    known = {"status": status, **problem}
    kind = _BY_CODE.get(str(known.get("code"))) or _by_status(status)
    return kind(str(known.get("detail") or known.get("title") or f"status {status}"), known)


def _by_status(status: int) -> type[Refused]:
    if status >= 500:
        return BrokerFault
    if status in (401, 403):
        return NotAllowed
    return TryLater if status == 429 else InvalidRequest

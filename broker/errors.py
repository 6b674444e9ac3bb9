"""What callers are told: a stable code, an HTTP status, whose turn it is. docs/errors.md lists them all.

BrokerError
├── Unauthenticated, Forbidden, SourceNotAllowed                the caller's operator
├── RateLimited, CallerThrottled                                the caller's developer, or its operator
├── IdempotencyKeyReused, IdempotentRequestAtWork, WebhookTargetRefused    the caller's developer
├── InvalidRequest, BodyTooLarge, MethodNotAllowed              the caller's developer
├── NotFound: connection, tenant, provider, session, webhook endpoint, delivery    the caller's developer
├── RequestRefused, InvalidScope                                the caller's developer
├── ConnectionAmbiguous, MinTtlUnattainable, ReturnUrlNotAllowed, ProviderNotAvailable, OperationUnsupported
├── ReauthorizationRequired, ConnectionPending                  the customer
├── RightMissing, AccountUnverified                             the customer, in the provider's own program
├── ConnectionDisconnected, ConnectionSuspended                 the customer, or staff
├── RenewalInProgress, ProviderUnavailableNow, IssuerUnavailable, BrokerUnavailable    nobody: try again later
├── RegistrationRejected, ProviderResponseUnusable              staff
└── StorageFault, InternalError                                 operators
"""

from typing import ClassVar


class BrokerError(Exception):
    """Root. `detail` is for the caller's developer; it names ids and rules, never secrets."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something is wrong inside the broker"
    retryable: ClassVar[bool] = False
    action: ClassVar[str] = "contact_operators"

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: float | None = None,
        connect_url: str | None = None,
        extra: dict[str, object] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.connect_url = connect_url
        self.extra = extra or {}


class _Absent:
    status, action = 404, "fix_request"


class _Unfit:
    status, action = 422, "fix_request"


class _Later:
    status: ClassVar[int] = 503
    retryable, action = True, "retry"


class _Conflict:
    status = 409


class InternalError(BrokerError):
    """A fault of ours that nothing else describes."""


class StorageFault(BrokerError):
    code = "storage_fault"
    title = "A stored credential cannot be opened"


class BrokerUnavailable(_Later, BrokerError):
    code = "broker_unavailable"
    title = "The broker's database does not answer now"


class Unauthenticated(BrokerError):
    code = "unauthenticated"
    status = 401
    title = "No valid API key was given"
    action = "fix_request"


class IssuerUnavailable(_Later, BrokerError):
    code = "issuer_unavailable"
    title = "The keys of the token's issuer cannot be fetched now"


class Forbidden(BrokerError):
    code = "forbidden"
    status = 403
    title = "This API key may not do that"
    action = "ask_operators"


class SourceNotAllowed(Forbidden):
    code = "source_not_allowed"
    title = "This API key may not be used from there"


class RateLimited(_Later, BrokerError):
    code = "rate_limited"
    status = 429
    title = "Too many requests"


class CallerThrottled(BrokerError):
    code = "caller_throttled"
    status = 429
    title = "This API key read more connections than it usually does"
    action = "ask_operators"


class InvalidRequest(BrokerError):
    code = "invalid_request"
    status = 400
    title = "The request is not understood"
    action = "fix_request"


class BodyTooLarge(InvalidRequest):
    code = "body_too_large"
    status = 413
    title = "The request body is too large"


class IdempotencyKeyReused(InvalidRequest):
    code = "idempotency_key_reused"
    status = 422
    title = "This Idempotency-Key came with another request before"


class IdempotentRequestAtWork(_Later, BrokerError):
    code = "idempotent_request_at_work"
    status = 409
    title = "The request with this Idempotency-Key is still at work"


class WebhookTargetRefused(InvalidRequest):
    code = "webhook_target_refused"
    status = 422
    title = "Events are not sent to that address"


class MethodNotAllowed(InvalidRequest):
    code = "method_not_allowed"
    status = 405
    title = "This address does not answer that method"


class RouteNotFound(InvalidRequest):
    code = "route_not_found"
    status = 404
    title = "There is nothing at this address"


class ConnectionNotFound(_Absent, BrokerError):
    code = "connection_not_found"
    title = "There is no such connection"


class TenantNotFound(_Absent, BrokerError):
    code = "tenant_not_found"
    title = "There is no such tenant"


class ConnectSessionNotFound(_Absent, BrokerError):
    code = "connect_session_not_found"
    title = "There is no such connect session"


class WebhookEndpointNotFound(_Absent, BrokerError):
    code = "webhook_endpoint_not_found"
    title = "There is no such webhook endpoint"


class WebhookDeliveryNotFound(_Absent, BrokerError):
    code = "webhook_delivery_not_found"
    title = "There is no such delivery"


class ProviderNotAvailable(BrokerError):
    code = "provider_not_available"
    status = 422
    title = "This tenant has no client registration for that provider"
    action = "ask_operators"


class ReturnUrlNotAllowed(_Unfit, BrokerError):
    code = "return_url_not_allowed"
    title = "The return URL is not on the tenant's list"


class ConnectionAmbiguous(_Conflict, BrokerError):
    code = "connection_ambiguous"
    title = "Several connections match; name one by its id or label"
    action = "fix_request"


class MinTtlUnattainable(_Unfit, BrokerError):
    code = "min_ttl_unattainable"
    title = "The provider's tokens do not live that long"


class OperationUnsupported(_Unfit, BrokerError):
    code = "unsupported_operation"
    title = "This provider cannot do that"


class RequestRefused(_Unfit, BrokerError):
    code = "request_refused"
    title = "Headers for this request are not given"


class InvalidScope(_Unfit, BrokerError):
    code = "invalid_scope"
    title = "There is no token for these scopes"


class ReauthorizationRequired(_Conflict, BrokerError):
    code = "reauthorization_required"
    title = "The customer must connect again"
    action = "send_customer_to_connect_url"


class RightMissing(_Conflict, BrokerError):
    code = "right_missing"
    title = "The provider's user lacks a right in the provider's own program"
    action = "send_customer_to_provider"


class AccountUnverified(_Conflict, BrokerError):
    code = "account_unverified"
    title = "The provider has not verified the customer's account yet"
    action = "send_customer_to_provider"


class ConnectionPending(_Conflict, BrokerError):
    code = "connection_pending"
    title = "The customer has not finished connecting"
    action = "send_customer_to_connect_url"


class ConnectionDisconnected(BrokerError):
    code = "connection_disconnected"
    status = 410
    title = "The connection was disconnected"
    action = "create_connect_session"


class ConnectionSuspended(BrokerError):
    code = "connection_suspended"
    status = 423
    title = "Staff suspended this connection"
    action = "ask_operators"


class RenewalInProgress(_Later, BrokerError):
    code = "renewal_in_progress"
    title = "The token is being renewed right now"


class ProviderUnavailableNow(_Later, BrokerError):
    code = "provider_unavailable"
    title = "The provider does not answer as it should"


class RegistrationRejected(BrokerError):
    code = "registration_rejected"
    status = 502
    title = "The provider refuses our client registration"
    retryable = True


class ProviderResponseUnusable(_Later, BrokerError):
    code = "provider_response_malformed"
    status = 502
    title = "The provider answered something that cannot be used"


# Pages for customers are told apart by the same codes, so that support can ask for them.
class ConnectLinkInvalid(BrokerError):
    code = "connect_link_invalid"
    status = 404
    title = "This link is not valid"
    action = "ask_for_a_new_link"


class ConnectLinkExpired(BrokerError):
    code = "connect_link_expired"
    status = 410
    title = "This link has expired or was used already"
    action = "ask_for_a_new_link"


class AuthorizationResponseRefused(BrokerError):
    code = "authorization_response_invalid"
    status = 400
    title = "The answer that came back does not belong to this browser"
    action = "start_again"

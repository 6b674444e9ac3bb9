"""What requests and answers look like: the examples of the OpenAPI document. None of their secrets opens anything."""

from typing import Any

from broker import errors
from broker.errors import BrokerError

CONNECTION_ID = "0d9c1f6e-5f5c-4f0e-9f0b-6f6b8f1f2c11"
SESSION_ID = "7c1e2b52-0f57-4c1b-8c3a-2f0c6f3a9d10"
TENANT, PROVIDER, LABEL = "acme", "ledger", "main"
LINK = "https://broker.example/connect/EXAMPLE-LINK-OF-ONE-CUSTOMER"
BASE_URL = "https://api.ledger.example/v2"
_TOKEN = "EXAMPLE-ACCESS-TOKEN"
_UNTIL = "2026-03-02T10:15:00Z"
# What stands in a path, by the name of the parameter.
IN_PATHS = {
    "connection_id": CONNECTION_ID,
    "session_id": SESSION_ID,
    "endpoint_id": "3f0e9c5a-6d0b-4a53-9a0e-2c8f1d7b6e42",
    "delivery_id": "b2a7d7c4-1f5e-4f0c-8a39-5d1e6c0f9b73",
    "tenant": TENANT,
    "provider": PROVIDER,
    "rest": "customers",
}

TOKEN: dict[str, Any] = {
    "connection_id": CONNECTION_ID,
    "access_token": _TOKEN,
    "token_type": "Bearer",
    "expires_at": _UNTIL,
    "scope": "invoices customers",
    "scope_asked": "invoices customers archive",
    "scope_missing": "archive",
    "version": 7,
    "base_url": BASE_URL,
    "headers": {"Authorization": f"Bearer {_TOKEN}"},
    "degraded": None,
}
HEADERS_IN: dict[str, Any] = {"method": "GET", "url": f"{BASE_URL}/customers?page=1"}
HEADERS: dict[str, Any] = {
    "connection_id": CONNECTION_ID,
    "headers": {"Authorization": f"Bearer {_TOKEN}"},
    "single_use": False,
    "valid_until": _UNTIL,
    "transaction_id": None,
    "version": 7,
    "base_url": BASE_URL,
    "degraded": None,
}
FEEDBACK_IN: dict[str, Any] = {
    "status": 401,
    "version": 7,
    "www_authenticate": 'Bearer error="invalid_token"',
    "body": '{"message": "The token has been revoked"}',
    "headers": {"X-Request-Id": "4f1c"},
}
FEEDBACK: dict[str, Any] = {
    "verdict": "renewed",
    "action": "retry_with_new_token",
    "state": "connected",
    "reason": "",
    "version": 8,
    "connect_url": None,
    "explanation": "",
    "error_id": None,
    "retry_after": None,
    "rate_limit": {},
}
SESSION_IN: dict[str, Any] = {
    "tenant": TENANT,
    "providers": [PROVIDER],
    "return_url": "https://app.acme.example/connected",
    "locale": "fi",
    "label": LABEL,
}
SESSION_CREATED: dict[str, Any] = {"id": SESSION_ID, "url": LINK, "expires_at": "2026-03-02T09:45:00Z"}
SESSION: dict[str, Any] = {
    "id": SESSION_ID,
    "tenant": TENANT,
    "providers": [PROVIDER],
    "state": "completed",
    "outcome": "connected",
    "connection": CONNECTION_ID,
    "expires_at": "2026-03-02T09:45:00Z",
}
SUMMARY: dict[str, Any] = {
    "id": CONNECTION_ID,
    "tenant": TENANT,
    "provider": PROVIDER,
    "environment": "production",
    "label": LABEL,
    "state": "connected",
    "reason": "",
    "reason_text": "",
    "external_account": "Acme Oy",
    "external_account_id": "1234567-8",
    "connected_at": "2026-02-01T08:00:00Z",
}
CONNECTION: dict[str, Any] = {
    **SUMMARY,
    "base_url": BASE_URL,
    "scopes_asked": ["invoices", "customers", "archive"],
    "scopes_granted": ["invoices", "customers"],
    "scopes_missing": ["archive"],
    "access_token_expires_at": _UNTIL,
    "version": 7,
    "next_renewal_at": "2026-03-02T10:05:00Z",
    "timeline": [
        {"at": "2026-02-01T08:00:00Z", "action": "connection.connected", "actor": "customer", "detail": {"reason": ""}}
    ],
}
PAGE: dict[str, Any] = {"items": [SUMMARY], "next_cursor": "AAYpZ3Vu0gANnB9uX1xPDp8La2uPHywR"}
DISCONNECTED: dict[str, Any] = {"state": "disconnected", "revoked_at_provider": "pending"}
TENANT_PAGE: dict[str, Any] = {
    "items": [{"slug": TENANT, "name": "Acme Oy", "locale": "fi", "created_at": "2026-01-15T09:30:00Z"}],
    "next_cursor": None,
}
PROVIDERS: dict[str, Any] = {
    "items": [
        {
            "id": PROVIDER,
            "name": "Ledger",
            "capabilities": ["authorizes", "renews", "revokes", "hands_out_tokens", "hands_out_headers"],
            "scopes": [{"name": "invoices", "description": "Read and write invoices."}],
            "available": True,
        }
    ]
}

# Refusals that say more than their class does; any other one is its own example.
REFUSALS: dict[type[BrokerError], BrokerError] = {
    type(error): error
    for error in (
        errors.InvalidRequest("limit: Input should be less than or equal to 200"),
        errors.Forbidden("this API key lacks the operation connection.manage"),
        errors.RateLimited("this caller has 6000 requests a minute", retry_after=23),
        errors.CallerThrottled(retry_after=3600),
        errors.IssuerUnavailable(retry_after=10),
        errors.IdempotentRequestAtWork(retry_after=1),
        errors.ReauthorizationRequired(
            "The provider no longer accepts this connection.", connect_url=LINK, extra={"reason": "grant_revoked"}
        ),
        errors.ConnectionPending(connect_url=LINK),
        errors.RequestRefused(
            "sign requests to the provider's own hosts only", extra={"field": "url", "problem": "host"}
        ),
        errors.InvalidScope(
            "the provider has no such scope", extra={"scope": "invoces", "supported": ["invoices", "customers"]}
        ),
        errors.OperationUnsupported(
            "this provider has no tokens; it has headers", extra={"supported": ["headers", "verify"]}
        ),
        errors.RightMissing(retry_after=600),
        errors.AccountUnverified(retry_after=600),
        errors.RenewalInProgress(retry_after=1),
        errors.ProviderUnavailableNow(retry_after=10),
        errors.RegistrationRejected(retry_after=60),
        errors.ProviderResponseUnusable(retry_after=10),
    )
}


def of_refusal(kind: type[BrokerError]) -> BrokerError:
    """Return the refusal that stands for its kind."""
    return REFUSALS.get(kind) or kind()

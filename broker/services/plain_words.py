"""Short words for states, reasons and failures, as staff read them in lists."""

from tenants.models import ExpiryNotice, Reason, State

STATE_WORDS: dict[str, str] = {
    State.PENDING: "Waiting for the customer",
    State.CONNECTED: "Connected",
    State.DEGRADED: "Works, but needs a look",
    State.REAUTHORIZATION_REQUIRED: "Customer must connect again",
    State.SUSPENDED: "Suspended",
    State.DISCONNECTED: "Disconnected",
}
REASON_WORDS: dict[str, str] = {
    Reason.NONE: "",
    Reason.GRANT_REVOKED: "No longer accepted",
    Reason.PASSWORD_CHANGED: "Password changed",
    Reason.IDLE_EXPIRED: "Not used for too long",
    Reason.ABSOLUTE_EXPIRED: "Longest life reached",
    Reason.CONSENT_WITHDRAWN: "Consent withdrawn",
    Reason.SCOPE_MISSING: "Rights missing",
    Reason.RIGHT_MISSING: "Right missing in their program",
    Reason.ACCOUNT_UNVERIFIED: "Company not verified yet",
    Reason.ACCOUNT_MISMATCH: "Another company chosen",
    Reason.ROTATION_LOST: "Renewal lost, our fault",
    Reason.CLIENT_MISCONFIGURED: "Our registration refused",
    Reason.PROVIDER_UNAVAILABLE: "Provider unavailable",
    Reason.RATE_LIMITED: "Provider asks us to wait",
    Reason.STORAGE_FAULT: "Credential cannot be opened",
    Reason.STAFF: "By staff",
}
# What ends, and what to do about it.
END_WORDS: dict[str, tuple[str, str]] = {
    ExpiryNotice.Kind.IDLE: ("Connection that is not renewed", "Its page says why renewing does not work."),
    ExpiryNotice.Kind.ABSOLUTE: ("Longest life of a connection", "The customer connects again: send a repair link."),
    ExpiryNotice.Kind.ACCESS_TOKEN: (
        "Access that cannot be renewed",
        "The customer connects again: send a repair link.",
    ),
    ExpiryNotice.Kind.CLIENT_SECRET: ("Our client secret", "Operators put in a new one before."),
}
FAILURE_WORDS: dict[str, str] = {
    "": "none",
    "internal": "a fault of ours: the broker could not prepare or finish the renewal",
    "suspect": "the provider refused once; the broker asks again before believing it",
    "held": "the provider refuses unusually many customers at once; nobody is blamed, and it is asked again",
    "unsupported": "this provider has no renewal",
    "app_broken": "the provider refuses our registration",
    "config_error": "the provider refuses what we ask for",
    "uncertain": "no usable answer came; the provider may or may not have renewed",
    "malformed": "the provider's answer could not be used; it may or may not have renewed",
    "throttled": "the provider asks us to wait",
    "transient": "the provider did not answer as it should",
    "grant_revoked": "the provider no longer accepts the connection",
    "idle_expired": "the connection was not used for longer than the provider allows",
    "absolute_expired": "the connection reached the longest life that the provider allows",
    "right_missing": "a right is missing in the provider's own program",
    "account_unverified": "the provider has not verified the company yet",
    "rotation_lost": "the answer to a renewal never reached us",
}

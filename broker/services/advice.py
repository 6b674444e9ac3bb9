"""What is the matter with a connection, in plain words, and the one next step for whoever looks at it."""

from dataclasses import dataclass

from tenants.models import Reason, State


@dataclass(frozen=True, slots=True)
class Advice:
    """Shape: `action` names the admin action that is the next step: renew, repair, resume; empty when none is."""

    matter: str
    next_step: str
    action: str = ""


_WAIT = "Do nothing now: the broker tries again by itself."
_SEND = "Make a repair link and send it to the customer."
_OPERATORS = "Tell the operators and give them this page's address; there is nothing that the customer can do."

_WORKING = Advice("The connection works.", "Nothing needs to be done.")
_PENDING = Advice(
    "The customer has not finished connecting yet.",
    "Make a repair link and send it to the customer, so that they can finish.",
    "repair",
)
_DISCONNECTED = Advice(
    "The connection was ended. Its tokens are gone and cannot be brought back.",
    "Nothing, if that was meant. If the customer wants it back, make a repair link and send it to them.",
)
_REFUSED_REGISTRATION = Advice(
    "The provider refuses our own registration (client id or secret). Every connection that uses it is affected, "
    "and no customer is at fault.",
    "Tell the operators to repair the client registration; do not send the customer a link.",
)
_STOPPED_BY_US = Advice(
    "Staff suspended the connection: no tokens are handed out and none are renewed. The credential is kept.",
    "Find out in the timeline who suspended it and why; when the cause is gone, resume it.",
    "resume",
)
_SUSPENDED_BY_INCIDENT = Advice(
    "The connection is suspended because of an incident. The credential is kept.",
    "Ask the operators whether the incident is over, and resume the connection only then.",
)

_DEGRADED: dict[Reason, Advice] = {
    Reason.NONE: Advice("The connection still works, but renewing fails.", _WAIT),
    Reason.GRANT_REVOKED: Advice(
        "The provider refused to renew. The broker asks once more before the customer is bothered.", _WAIT
    ),
    Reason.PASSWORD_CHANGED: Advice(
        "The provider's user changed their password; the current token works until it ends.", _SEND, "repair"
    ),
    Reason.IDLE_EXPIRED: Advice(
        "The connection rested longer than the provider allows; the current token works until it ends.",
        _SEND,
        "repair",
    ),
    Reason.ABSOLUTE_EXPIRED: Advice(
        "The connection has nearly reached the longest life that the provider allows.", _SEND, "repair"
    ),
    Reason.CONSENT_WITHDRAWN: Advice(
        "Somebody withdrew the consent at the provider; the current token works until it ends.",
        "Ask the customer whether that was meant; if not, make a repair link and send it to them.",
        "repair",
    ),
    Reason.SCOPE_MISSING: Advice(
        "The connection works, but the provider granted fewer rights than the service needs.",
        "Make a repair link and ask the customer to sign in as a user who may grant every right on the page.",
        "repair",
    ),
    Reason.RIGHT_MISSING: Advice(
        "The provider accepts the connection, but the customer's user or key lacks a right in the provider's program.",
        "Tell the customer which right is missing (the timeline and the provider's page in docs say it); when it is "
        "granted, press renew.",
        "renew",
    ),
    Reason.ACCOUNT_UNVERIFIED: Advice(
        "The provider has not verified the customer's company yet. The connection is good, and no link helps.",
        "Ask the customer to finish the verification at the provider; the broker notices by itself.",
    ),
    Reason.ACCOUNT_MISMATCH: Advice(
        "Somebody signed in with another company. The connection works with the company it had; the new sign-in waits "
        "below.",
        "Ask the customer which company is right. Then take the new sign-in, or turn it away.",
    ),
    Reason.ROTATION_LOST: Advice(
        "The answer to a renewal never reached us; the current token works until it ends.", _SEND, "repair"
    ),
    Reason.CLIENT_MISCONFIGURED: _REFUSED_REGISTRATION,
    Reason.PROVIDER_UNAVAILABLE: Advice(
        "The provider does not answer as it should. Services still get the current token until it ends.",
        f"{_WAIT} If it lasts for hours, look at the provider's status page.",
    ),
    Reason.RATE_LIMITED: Advice(
        "The provider asks us to wait before renewing. Services still get the current token until it ends.",
        f"{_WAIT} Renewing by hand makes the wait longer.",
    ),
    Reason.STORAGE_FAULT: Advice("The broker cannot open the stored credential. This is a fault of ours.", _OPERATORS),
    Reason.STAFF: Advice("Staff marked the connection; it still works.", "Look in the timeline who did it and why."),
}

_REAUTHORIZATION_REQUIRED: dict[Reason, Advice] = {
    Reason.NONE: Advice(
        "The provider no longer accepts the connection; the customer must connect again.", _SEND, "repair"
    ),
    Reason.GRANT_REVOKED: Advice(
        "The provider no longer accepts the connection. Usual causes: a changed password, a removed user, or consent "
        "that was taken back.",
        _SEND,
        "repair",
    ),
    Reason.PASSWORD_CHANGED: Advice(
        "The provider's user changed their password, and the provider ended the connection because of it.",
        _SEND,
        "repair",
    ),
    Reason.IDLE_EXPIRED: Advice(
        "Nothing used the connection for longer than the provider allows, so the provider ended it.", _SEND, "repair"
    ),
    Reason.ABSOLUTE_EXPIRED: Advice(
        "The connection reached the longest life that the provider allows; this happens to every customer in time.",
        _SEND,
        "repair",
    ),
    Reason.CONSENT_WITHDRAWN: Advice(
        "Somebody at the customer withdrew the consent at the provider.",
        "Ask the customer whether that was meant; if not, make a repair link and send it to them.",
        "repair",
    ),
    Reason.SCOPE_MISSING: Advice(
        "The provider granted too few rights for the connection to work.",
        "Make a repair link and ask the customer to sign in as a user who may grant every right on the page.",
        "repair",
    ),
    Reason.RIGHT_MISSING: Advice(
        "The customer's user or key lacks a right in the provider's program, and nothing works without it.",
        "Tell the customer which right is missing (the timeline says it), then make a repair link and send it to them.",
        "repair",
    ),
    Reason.ACCOUNT_UNVERIFIED: Advice(
        "The provider has not verified the customer's company, and accepts nothing before that.",
        "Ask the customer to finish the verification at the provider, then make a repair link and send it to them.",
        "repair",
    ),
    Reason.ACCOUNT_MISMATCH: Advice(
        "Somebody signed in with another company than before, so the new tokens were not used.",
        "Make a repair link and tell the customer which company to sign in with (see the account below).",
        "repair",
    ),
    Reason.ROTATION_LOST: Advice(
        "The provider's answer to a renewal never reached us, and it accepts no second try: not the customer's fault.",
        "Make a repair link, send it to the customer, and apologise: the fault is not theirs.",
        "repair",
    ),
    Reason.CLIENT_MISCONFIGURED: _REFUSED_REGISTRATION,
    Reason.PROVIDER_UNAVAILABLE: Advice(
        "The provider did not answer for so long that the connection ended.",
        "See that the provider works again, then make a repair link and send it to the customer.",
        "repair",
    ),
    Reason.RATE_LIMITED: Advice(
        "The provider made us wait for so long that the connection ended.",
        "Wait an hour, then make a repair link and send it to the customer.",
        "repair",
    ),
    Reason.STORAGE_FAULT: Advice(
        "The stored credential cannot be opened, so the connection cannot go on. This is a fault of ours.", _OPERATORS
    ),
    Reason.STAFF: Advice("Staff asked that the customer connects again.", _SEND, "repair"),
}


def advise(state: str, reason: str, *, registration_refused: bool = False, revocation_pending: bool = False) -> Advice:
    """Return the sentences for a state and its reason; a refused registration goes before both."""
    if state == State.DISCONNECTED:
        return _still_telling() if revocation_pending else _DISCONNECTED
    if registration_refused and state != State.SUSPENDED:
        return _REFUSED_REGISTRATION
    if state == State.SUSPENDED:
        return _STOPPED_BY_US if reason in (Reason.STAFF, Reason.NONE) else _SUSPENDED_BY_INCIDENT
    if state == State.DEGRADED:
        return _DEGRADED[Reason(reason)]
    if state == State.REAUTHORIZATION_REQUIRED:
        return _REAUTHORIZATION_REQUIRED[Reason(reason)]
    return _PENDING if state == State.PENDING else _WORKING


def _still_telling() -> Advice:
    return Advice(
        "The connection was ended here, but the provider has not confirmed that it revoked the tokens.",
        "Do nothing: the broker keeps telling the provider for seven days. Services get no more tokens already.",
    )

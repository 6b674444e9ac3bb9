"""What to tell the customer about each way a flow can end. The code is for support; the words are for people."""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from broker.connect.sentences import Sentence, sentence
from providers.definition import KnownRefusal, ProviderDefinition
from providers.messages import Meaning
from tenants.models import AuthorizationRequest, ConnectSession, Reason

Words = str | Promise


class Turn(StrEnum):
    """Who can do something now."""

    NOBODY = "nobody"
    CUSTOMER = "customer"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A title and a text; both may use %(provider)s, %(tenant)s, %(account)s and, where one waits, %(other)s."""

    title: Words
    text: Words
    turn: Turn = Turn.CUSTOMER
    over: bool = True


_SIGN_IN = Outcome(
    _("The sign-in was not finished"),
    _("%(provider)s needs you to sign in and to answer its questions. Nothing was changed."),
)
_UNAVAILABLE = Outcome(
    _("%(provider)s does not answer right now"),
    _("This is not your fault, and nothing was changed. Wait a few minutes, then try again."),
)
_MISCONFIGURED = Outcome(
    _("Something is not set up correctly"),
    _("%(provider)s did not accept our request. This is not your fault, and trying again will not help."),
    Turn.STAFF,
)
_UNTRUSTED = Outcome(
    _("The answer could not be trusted"),
    _(
        "The answer that came back from %(provider)s was not as it should be, so we did not use it. "
        "Nothing was changed."
    ),
)
# Titles that have the catalogue's own sentence below them where it knows the refusal.
_RIGHT_MISSING = Outcome(
    _("A right is missing in %(provider)s"),
    _(
        "Nothing was stored. Ask somebody who may administer your company in %(provider)s for the right, then try "
        "again."
    ),
)
_UNVERIFIED = Outcome(
    _("%(provider)s has not verified your company yet"),
    _("Nothing was stored. Finish the verification in %(provider)s, or ask its support, then try again."),
)
_NOT_ACCEPTED = Outcome(
    _("%(provider)s did not accept it"),
    _("Nothing was stored. Check that everything is as %(provider)s shows it, then try again."),
)
OUTCOMES: dict[str, Outcome] = {
    "connected": Outcome(_("Connected"), _("%(provider)s is now connected to %(tenant)s."), Turn.NOBODY),
    "access_denied": Outcome(
        _("You did not approve the access"),
        _(
            "Nothing was changed. If that was a mistake, try again and approve the access. If you were not allowed to, "
            "ask an administrator of your company to do it."
        ),
    ),
    "login_required": _SIGN_IN,
    "interaction_required": _SIGN_IN,
    "account_selection_required": _SIGN_IN,
    "consent_required": Outcome(
        _("Your approval is missing"),
        _("%(provider)s needs your approval before it gives access. Nothing was changed."),
    ),
    "temporarily_unavailable": _UNAVAILABLE,
    "server_error": _UNAVAILABLE,
    "provider_unavailable": _UNAVAILABLE,
    "account_mismatch": Outcome(
        _("That was another company"),
        _(
            "You signed in with another company than before, so nothing was changed. "
            "Try again and choose this company: %(account)s"
        ),
    ),
    "account_unconfirmed": Outcome(
        _("We could not confirm which company it is"),
        _("%(provider)s did not tell us which company you chose, so nothing was changed. Try again in a few minutes."),
    ),
    "company_taken": Outcome(
        _("This company is connected already"),
        _(
            "Another organisation has connected this company, and only one can. Nothing was changed. If that is not "
            "as it should be, tell %(tenant)s the code below."
        ),
    ),
    "right_missing": _RIGHT_MISSING,
    "account_unverified": _UNVERIFIED,
    "credential_refused": _NOT_ACCEPTED,
    "response_malformed": Outcome(
        _("We did not understand the answer of %(provider)s"),
        _("This is not your fault, and nothing was changed. Wait a few minutes, then try again."),
    ),
    "code_rejected": Outcome(
        _("The approval was no longer valid"),
        _("Too much time had probably passed since you approved. Nothing was changed."),
    ),
    "registration_rejected": _MISCONFIGURED,
    "invalid_request": _MISCONFIGURED,
    "unauthorized_client": _MISCONFIGURED,
    "unsupported_response_type": _MISCONFIGURED,
    "invalid_scope": _MISCONFIGURED,
    "parameter_repeated": _UNTRUSTED,
    "parameter_too_long": _UNTRUSTED,
    "code_and_error": _UNTRUSTED,
    "code_missing": _UNTRUSTED,
    "code_malformed": _UNTRUSTED,
    "iss_missing": _UNTRUSTED,
    "iss_mismatch": _UNTRUSTED,
    "refused": Outcome(
        _("It was not connected"),
        _("%(provider)s ended the attempt without giving access. Nothing was changed."),
    ),
    "expired": Outcome(
        _("That took too long"),
        _("For your safety an attempt ends after a while. Nothing was changed."),
    ),
    "interrupted": Outcome(
        _("The connection was interrupted"),
        _("We could not finish the connection. This is not your fault."),
    ),
    "unfinished": Outcome(
        _("You have not finished yet"),
        _("You left the pages of %(provider)s before the end. Nothing was changed."),
        over=False,
    ),
    "working": Outcome(
        _("One moment, please"),
        _("We are finishing the connection. This page goes on by itself."),
        over=False,
    ),
}
# A mismatch whose tokens wait for somebody's word: %(other)s is whose they are.
KEPT_ASIDE = Outcome(
    _("That was another company"),
    _(
        "You signed in as %(other)s, but this connection belongs to %(account)s. Nothing was changed, and what you "
        "approved is kept aside, unused. Try again and choose %(account)s. If %(other)s is the right company, tell "
        "%(tenant)s the code below: for a week the connection can still be given to it."
    ),
)
_NOT_YET_VERIFIED = _("%(provider)s has not verified your company yet. Until it has, some things will not work.")
# A refusal of the provider's own that the catalogue knows is told like one of ours.
_LIKE: dict[Meaning, str] = {
    "credential_refused": "credential_refused",
    "client_rejected": "registration_rejected",
    "right_missing": "right_missing",
    "scope_missing": "right_missing",
    "account_unverified": "account_unverified",
    "throttled": "provider_unavailable",
    "unavailable": "provider_unavailable",
    "content": "refused",
}


def code_of(flow: AuthorizationRequest, definition: ProviderDefinition) -> str:
    """Return the word for how a flow stands: a key of OUTCOMES, or the code of a refusal that the catalogue knows.

    No other code of a provider is shown: it would be a stranger's text on our page.
    """
    if "connected" in (flow.outcome, flow.session.outcome):
        return "connected"
    if flow.outcome:
        known = flow.outcome in OUTCOMES or _refusal(definition, flow.outcome)
        return flow.outcome if known else "refused"
    late = flow.expires_at <= timezone.now()
    if flow.status == AuthorizationRequest.Status.CONSUMED:
        return "interrupted" if late else "working"
    return "expired" if late else "unfinished"


def told(code: str, definition: ProviderDefinition) -> tuple[Outcome, Sentence | None]:
    """Return the words for a code, and the catalogue's own sentence that takes the place of the text."""
    refusal = _refusal(definition, code)
    if refusal is None:
        return OUTCOMES[code], None
    outcome = OUTCOMES.get(code) or OUTCOMES[_LIKE[refusal.means]]
    return outcome, sentence(refusal.text) if refusal.text else None


def note(reason: str, definition: ProviderDefinition) -> Sentence | None:
    """Return what the customer should know of a connection that stands and has a flaw."""
    if reason != Reason.ACCOUNT_UNVERIFIED:
        return None
    refusal = _refusal(definition, reason)
    if refusal and refusal.text:
        return sentence(refusal.text)
    return Sentence(str(_NOT_YET_VERIFIED) % {"provider": definition.display_name})


def _refusal(definition: ProviderDefinition, code: str) -> KnownRefusal | None:
    """The refusal of this code; else the only one of this meaning that there are words for."""
    for refusal in definition.refusals:
        if refusal.error and refusal.error.lower() == code.lower():
            return refusal
    meant = [refusal for refusal in definition.refusals if refusal.means == code and refusal.text]
    return meant[0] if len({refusal.text for refusal in meant}) == 1 else None


def may_retry(session: ConnectSession) -> bool:
    """Whether the same link still has an attempt in it."""
    unused = session.outcome != "connected" and session.starts < settings.CONNECT_MAX_STARTS
    return unused and session.expires_at > timezone.now()

"""What happened, as sentences: one for every action code that is written to the audit log."""

from collections.abc import Callable, Mapping
from typing import Any

Detail = Mapping[str, Any]

_OUTCOMES: dict[str, str] = {
    "connected": "It is connected.",
    "refused": "The provider said no.",
    "access_denied": "The customer pressed no at the provider, or may not give this consent.",
    "login_required": "The customer did not sign in.",
    "consent_required": "The customer did not give the consent.",
    "interaction_required": "The provider wanted something more from the customer.",
    "server_error": "The provider had a fault.",
    "temporarily_unavailable": "The provider was not available.",
    "invalid_scope": "The provider does not offer the rights that were asked for.",
    "invalid_request": "The provider did not understand our request.",
    "unauthorized_client": "The provider refuses our registration.",
    "unsupported_response_type": "The provider refuses our kind of request.",
    "code_rejected": "The provider did not accept its own code any more; usually too much time had passed.",
    "provider_unavailable": "The provider did not answer as it should.",
    "registration_rejected": "The provider refuses our registration.",
    "credential_refused": "The provider did not accept what the customer typed in.",
    "right_missing": "A right is missing in the provider's own program.",
    "account_unverified": "The provider has not verified the company yet.",
    "response_malformed": "The provider's answer could not be used.",
    "company_taken": "Another organisation has this company connected already.",
    "account_mismatch": "Another company was chosen than the connection belongs to.",
    "account_unconfirmed": "The provider could not say which company it was.",
    "expired": "Too much time had passed.",
    "interrupted": "A stored secret could not be opened; operators must look.",
    "parameter_repeated": "The provider's answer was malformed.",
    "parameter_too_long": "The provider's answer was malformed.",
    "code_and_error": "The provider's answer was malformed.",
    "code_missing": "The provider's answer was malformed.",
    "code_malformed": "The provider's answer was malformed.",
    "iss_missing": "The answer did not say which provider it came from, so it was refused.",
    "iss_mismatch": "The answer came from another provider, so it was refused.",
}


def outcome_words(outcome: str) -> str:
    """Return how a connect attempt ended; an error code that only one provider has is shown as it is."""
    return _OUTCOMES.get(outcome, f"The provider answered: {outcome}." if outcome else "")


def _missing(detail: Detail) -> str:
    missing = detail.get("missing") or []
    return f" Missing: {', '.join(map(str, missing))}." if missing else ""


def _answer(detail: Detail) -> str:
    """The provider's own words: already redacted when they were recorded, still nothing to trust."""
    parts = [str(detail[name]) for name in ("error", "description") if detail.get(name)]
    words = f" The provider said: {', '.join(parts)}." if parts else ""
    reference = f" Its reference for this error: {detail['error_id']}." if detail.get("error_id") else ""
    return words + reference


def _of(detail: Detail, name: str, before: str = "", after: str = "") -> str:
    return f"{before}{detail[name]}{after}" if detail.get(name) not in (None, "", []) else ""


def _listed(detail: Detail, name: str) -> str:
    found = detail.get(name)
    return f": {', '.join(map(str, found))}" if found else ""


def _names(detail: Detail) -> str:
    """What the provider knows signed requests as; the first few say which job it was."""
    names = [str(request.get("transaction_id")) for request in detail.get("requests") or []]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"; the provider knows them as {', '.join(names[:3])}{more}" if names else ""


def _changed(detail: Detail) -> str:
    return f" Changed: {', '.join(map(str, detail.get('changed') or []))}."


def _end(detail: Detail) -> str:
    return f" on {str(detail['ends_at'])[:10]}" if detail.get("ends_at") else " soon"


# See `tenants.models.ExpiryNotice.Kind`.
_ENDING: dict[str, str] = {
    "idle": "Renewing does not work, and the provider ends what lies unused",
    "absolute": "The customer must connect again: the longest life that the provider allows ends",
    "access_token": "The customer must connect again: the access cannot be renewed, and ends",
}
# What a reported refusal means: see `providers.messages.Meaning`.
_MEANINGS: dict[str, str] = {
    "credential_refused": "It speaks of the credential, which was checked.",
    "client_rejected": "It speaks of our registration, which was checked.",
    "right_missing": "A right is missing in the provider's own program.",
    "scope_missing": "The connection was given fewer rights than the request needs.",
    "account_unverified": "The provider has not verified the company yet.",
    "throttled": "The provider asked to wait.",
    "unavailable": "The provider had a fault.",
    "content": "It speaks of the request itself, not of the connection.",
}
# See `tenants.models.WebhookEndpoint.DisabledBecause`.
_DISABLED: dict[str, str] = {
    "caller": "its caller wanted it so",
    "gone": "it answered that it is gone",
    "failing": "it accepted nothing for three days",
    "staff": "staff wanted it so",
}
_SENTENCES: dict[str, str | Callable[[Detail], str]] = {
    "authorization.started": "The customer opened the connect page and was sent to the provider.",
    "authorization.failed": lambda d: (
        f"Connecting did not work. {outcome_words(d.get('outcome', ''))}{_answer(d)}".strip()
    ),
    "authorization.account_mismatch": lambda d: (
        f"Somebody came with another company than this connection belongs to{_of(d, 'account', ': ')}. What they "
        "brought was not used: tokens of a sign-in wait for a week for staff to take them or to turn them away."
    ),
    "authorization.turned_away": lambda d: (
        f"The sign-in with another company{_of(d, 'account', ' (', ')')} was turned away; its tokens are revoked where "
        "the provider can."
    ),
    "authorization.account_unconfirmed": (
        "The provider could not say which company was connected. What the customer brought was not used; tokens are "
        "revoked where the provider can."
    ),
    "authorization.company_taken": lambda d: (
        "The customer came with a company that another tenant has connected; it was refused."
        f"{_of(d, 'held_by', ' The connection that has it: ', '.')}"
    ),
    "authorization.abandoned": lambda d: (
        "The customer signed in and never chose a company. The tokens were "
        f"{'revoked at the provider.' if d.get('revoked') else 'thrown away.'}"
    ),
    "connect_session.created": "A connect link was made.",
    "credential.stored": lambda d: (
        f"The provider accepted the credential{_of(d, 'account', ' for ')}; it was sealed and stored."
    ),
    "credential.let_go": "A token came too late to be used, and was thrown away; the next one is made when needed.",
    "credential.shredded": "What was stored was destroyed. There was nothing that the provider could be told.",
    "credential.renewed": lambda d: f"The tokens were renewed{_of(d, 'version', ' (version ', ')')}.",
    "credential.orphaned": (
        "A renewal finished after somebody else had taken over; its tokens were set aside instead of used."
    ),
    "credential.adopted": "A renewal finished late, and its tokens were taken into use.",
    "credential.superseded": (
        "Tokens that were set aside were thrown away: others of the same connection have been renewed since."
    ),
    "credential.unreadable": "The stored tokens could not be opened, so the provider could not be told to revoke them.",
    "credential.revoked": "The provider confirmed that it revoked the tokens.",
    "credential.given_up": "The provider could not be told to revoke the tokens, or cannot revoke any.",
    "connection.connected": "The connection was made and works.",
    "connection.imported": lambda d: (
        "The connection was brought in from elsewhere"
        f"{'; the provider accepted it.' if d.get('verified') else ', and nobody has verified it yet.'}"
    ),
    "connection.account_mismatch": (
        "The connection works with its own company, and the sign-in with another one waits for a decision."
    ),
    "connection.expires_soon": lambda d: f"{_ENDING.get(str(d.get('kind')), 'The connection ends')}{_end(d)}.",
    "connection.scope_reduced": lambda d: f"The provider granted fewer rights than before.{_missing(d)}",
    "connection.recovered": "The connection works again.",
    "connection.degraded": lambda d: f"The connection works, but something is wrong.{_missing(d)}{_answer(d)}",
    "connection.reauthorization_required": lambda d: (
        f"The provider no longer accepts the connection: the customer must connect again.{_answer(d)}"
    ),
    "connection.suspended": "The connection was suspended: no tokens are handed out or renewed.",
    "connection.disconnected": "The connection was ended.",
    "feedback.reported": lambda d: (
        f"A service reported a refusal of the provider's API{_of(d, 'status', ' (HTTP ', ')')}. "
        f"{_MEANINGS.get(str(d.get('meaning')), 'It was looked into.')}{_answer(d)}"
    ),
    "request.signed": lambda d: f"Requests were signed for a service{_names(d)}.",
    "registration.incident": lambda d: (
        "The provider refuses unusually many customers at once. None of them is blamed; one renewal a minute is tried."
        if d.get("error") == "mass_refusals"
        else f"The provider refuses our registration. Staff must repair it.{_answer(d)}"
    ),
    "registration.healed": "The provider accepts our registration again.",
    "registration.try_requested": "Staff asked for one renewal, to see whether the provider accepts us again.",
    "registration.new_secret_refused": (
        "The provider refuses the new client secret; the old one still works, and is used."
    ),
    "registration.new_secret_accepted": "The provider accepts the new client secret.",
    "registration.old_secret_dropped": "The old client secret was forgotten.",
    "registration.expires_soon": lambda d: f"Our client secret ends{_end(d)}. Operators put in a new one.",
    "registration.changed": lambda d: f"The client registration was changed.{_changed(d)}",
    "registration.created": lambda d: f"A client registration was entered{_of(d, 'client_id', ': ')}.",
    "registration.secrets_replaced": "The secrets of a client registration were replaced.",
    "tenant.created": lambda d: f"The tenant was created{_of(d, 'slug', ': ')}.",
    "tenant.changed": lambda d: f"The tenant's details were changed.{_changed(d)}",
    "tenant.deletion_begun": lambda d: (
        f"The tenant{_of(d, 'slug', ' ')} is being deleted: nothing of it is served any more, its connections end."
    ),
    "tenant.deleted": lambda d: (
        f"The tenant{_of(d, 'slug', ' ')} was deleted with all that it had; its keys were destroyed."
    ),
    "caller.created": lambda d: (
        f"A caller was created{' with its first API key' if d.get('key_id') else ''}{_of(d, 'caller', ': ')}."
    ),
    "caller.changed": lambda d: f"What the caller{_of(d, 'caller', ' ')} may do was changed.{_changed(d)}",
    "caller.key_revoked": lambda d: f"The API key{_of(d, 'key_id', ' ')} of {d.get('caller', 'a caller')} was revoked.",
    "caller.key_created": lambda d: f"{d.get('caller', 'A caller')} got one more API key{_of(d, 'key_id', ': ')}.",
    "webhook.endpoint_created": lambda d: (
        f"{d.get('caller', 'A caller')} asked to be told of events{_of(d, 'host', ' at ')}."
    ),
    "webhook.endpoint_changed": lambda d: f"The webhook endpoint{_of(d, 'host', ' at ')} was changed.{_changed(d)}",
    "webhook.endpoint_deleted": lambda d: f"The webhook endpoint{_of(d, 'host', ' at ')} was deleted.",
    "webhook.endpoint_disabled": lambda d: (
        f"The webhook endpoint{_of(d, 'host', ' at ')} was disabled"
        f"{_of(_DISABLED, str(d.get('because')), ': ')}; what waited for it is not sent."
    ),
    "webhook.endpoint_enabled": lambda d: f"The webhook endpoint{_of(d, 'host', ' at ')} was enabled again.",
    "webhook.secret_rotated": lambda d: f"The webhook endpoint{_of(d, 'host', ' at ')} got a new signing secret.",
    "webhook.replayed": lambda d: f"An event was sent once more to the webhook endpoint{_of(d, 'host', ' at ')}.",
    "webhook.test": lambda d: f"A test event was sent to the webhook endpoint{_of(d, 'host', ' at ')}.",
    "caller.key_changed": lambda d: (
        f"Where the API key{_of(d, 'key_id', ' ')} of {d.get('caller', 'a caller')} may come from was changed"
        f"{_listed(d, 'networks')}."
    ),
    "caller.workload_added": lambda d: (
        f"A workload may come in as {d.get('caller', 'a caller')}{_of(d, 'subject', ': ')}{_of(d, 'issuer', ', by ')}."
    ),
    "caller.throttled": lambda d: (
        f"The API key{_of(d, 'key_id', ' ')} of {d.get('caller', 'a caller')} read unusually many connections"
        f"{_of(d, 'connections', ' (', ' in an hour)')}, as a stolen one would, and is turned away for an hour."
    ),
    "caller.throttle_lifted": lambda d: (
        f"Staff let the API key{_of(d, 'key_id', ' ')} of {d.get('caller', 'a caller')} read on."
    ),
    "issuer.trusted": lambda d: f"An issuer of workload tokens is trusted from now on{_of(d, 'issuer', ': ')}.",
    "issuer.changed": lambda d: f"The terms of the trusted issuer{_of(d, 'issuer', ' ')} were changed.",
    "issuer.distrusted": lambda d: f"Tokens of the issuer{_of(d, 'issuer', ' ')} are refused from now on.",
    "audit.reads_purged": lambda d: f"Counts of reads{_of(d, 'before', ' from before ')} were deleted as too old.",
    "audit.exported": lambda d: (
        f"The audit log of a tenant was exported{_of(d, 'start', ', from ')}{_of(d, 'end', ', up to ')}."
    ),
    "token.read_by_operator": "Somebody with the command line read an access token.",
    "staff.renew_requested": "Staff asked for a renewal.",
    "staff.repair_link_shown": "Staff looked up the repair link, to give it to the customer.",
    "staff.account_taken": lambda d: (
        f"Staff gave the connection to the company that somebody had signed in with{_of(d, 'account', ': ')}."
        f"{_of(d, 'before', ' Before, it belonged to ', '.')}"
    ),
    "staff.account_created": lambda d: f"A staff account was created{_of(d, 'user', ': ')}.",
    "staff.account_changed": lambda d: f"The staff account{_of(d, 'user', ' ')} was changed.{_changed(d)}",
    "staff.viewed": "Staff looked at this connection.",
}
ACTIONS = tuple(_SENTENCES)


def sentence(action: str, detail: Detail) -> str:
    """Return what an audit event says. An action without a sentence of its own is shown by its code."""
    known = _SENTENCES.get(action)
    if known is None:
        return action.replace(".", ": ").replace("_", " ")
    return known if isinstance(known, str) else known(detail)

"""The answer of the person: Allow issues a code, Deny sends them back without."""

from sandbox.authorize import answer
from sandbox.errors import PageError
from sandbox.exchange import Exchange, Reply
from sandbox.grants import Consent
from sandbox.interactions import Interaction
from sandbox.secrecy import fingerprint
from sandbox.signin import posted, signed_in
from sandbox.state import Sandbox


def take_consent(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """Back to the client, with a code or with access_denied.

    Raises: PageError when the form does not answer the question.
    """
    walk, form = posted(sandbox, exchange)
    user, decision = signed_in(sandbox, walk), form.get("decision", "")
    if decision not in ("allow", "deny") or user.company(walk.company_id) is None:
        raise PageError("Choose a company, then Allow or Deny.")
    sandbox.interactions.finish(walk)
    client = sandbox.clients.get(walk.asked.client_id)
    if client is None:
        raise PageError("This client is not registered here any more.")
    seconds = client.settings.code_seconds
    members = _allowed(sandbox, exchange, walk, seconds) if decision == "allow" else _denied(exchange)
    return answer(sandbox, client, walk.asked.redirect_uri, walk.asked.state, members)


def _allowed(sandbox: Sandbox, exchange: Exchange, walk: Interaction, seconds: float) -> dict[str, str]:
    asked = walk.asked
    consent = Consent(asked.client_id, walk.user_id, walk.company_id, asked.scope)
    bound = (asked.redirect_uri, asked.code_challenge, asked.nonce)
    code = sandbox.codes.issue(consent, *bound, seconds=seconds)
    exchange.entry.issued = {"code": fingerprint(code)}
    exchange.decide("allowed", asked.scope)
    return {"code": code}


def _denied(exchange: Exchange) -> dict[str, str]:
    exchange.decide("access_denied", "the person pressed Deny")
    return {"error": "access_denied", "error_description": "The user denied the request"}

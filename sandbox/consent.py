"""The answer of the person: Allow issues a code, Deny sends them back without."""

from sandbox.errors import PageError
from sandbox.exchange import Exchange, Reply
from sandbox.grants import Consent
from sandbox.interactions import Interaction
from sandbox.responses import Destination, answer
from sandbox.secrecy import fingerprint
from sandbox.signin import posted, signed_in
from sandbox.site import Site
from sandbox.state import Sandbox


def take_consent(site: Site, sandbox: Sandbox, exchange: Exchange) -> Reply:
    """Back to the client, with a code or with access_denied.

    Raises: PageError when the form does not answer the question.
    """
    walk, form = posted(site, sandbox, exchange)
    user, decision = signed_in(site, sandbox, walk), form.get("decision", "")
    undecided = site.chooses(walk.asked.scope) and user.company(walk.company_id) is None
    if decision not in ("allow", "deny") or undecided:
        raise PageError(f"Choose a {site.choice}, then Allow or Deny.")
    sandbox.interactions.finish(walk)
    client = site.client(sandbox, walk.asked.client_id)
    if client is None:
        raise PageError("This client is not registered here any more.")
    seconds = client.settings.code_seconds
    members = _allowed(site, sandbox, exchange, walk, seconds) if decision == "allow" else _denied(exchange)
    to = Destination(site, client, walk.asked.redirect_uri, walk.asked.response_mode, walk.asked.state)
    return answer(sandbox, to, members)


def _allowed(site: Site, sandbox: Sandbox, exchange: Exchange, walk: Interaction, seconds: float) -> dict[str, str]:
    asked = walk.asked
    consent = Consent(site.key(asked.client_id), walk.user_id, walk.company_id, asked.scope)
    bound = (asked.redirect_uri, asked.code_challenge, asked.nonce)
    code = sandbox.codes.issue(consent, *bound, seconds=seconds)
    exchange.entry.issued = {"code": fingerprint(code)}
    exchange.decide("allowed", asked.scope)
    return {"code": code}


def _denied(exchange: Exchange) -> dict[str, str]:
    exchange.decide("access_denied", "the person pressed Deny")
    return {"error": "access_denied", "error_description": "The user denied the request"}

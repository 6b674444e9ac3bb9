"""Maventa's API: a few calls that show what a token opens, and how it stays shut."""

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid4, uuid5

from sandbox.api import bearer
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.maventa_accounts import COMPANIES, OPERATORS, TOKENS, Company, problem
from sandbox.minted import Minted
from sandbox.secrecy import digest
from sandbox.state import Sandbox


def current(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """Whose token it is, and its scopes."""
    minted = _admitted(sandbox, exchange, ())
    if isinstance(minted, Reply):
        return minted
    user = {"id": str(uuid5(NAMESPACE_URL, minted.key)), "first_name": "Anna", "email": "anna@acme.example"}
    return json_reply(200, {"user": user, "company": _party(sandbox, minted), "scopes": list(minted.scopes)})


def authenticated(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """How long the token lives."""
    minted = _admitted(sandbox, exchange, ())
    if isinstance(minted, Reply):
        return minted
    expires_at = datetime.fromtimestamp(minted.expires_at, UTC).isoformat()
    return json_reply(200, {"client_id": minted.client_id, "expires_at": expires_at})


def companies(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The companies that the token sees: its own."""
    minted = _admitted(sandbox, exchange, ("company:read",))
    return minted if isinstance(minted, Reply) else json_reply(200, [_party(sandbox, minted)])


def company(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """One company; every other one is not found."""
    minted = _admitted(sandbox, exchange, ("company:read",))
    if isinstance(minted, Reply):
        return minted
    if exchange.request.match_info["company"] != minted.account:
        exchange.decide("not_found", "another company")
        return problem(404, "not_found", "Not found")
    return json_reply(200, _party(sandbox, minted))


def authorization(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """Whether the company has been verified."""
    minted = _admitted(sandbox, exchange, ("company:read",))
    if isinstance(minted, Reply):
        return minted
    verified = _is_verified(sandbox, minted)
    state = {
        "auth_state": "SIGNED" if verified else "SENT",
        "auth_email": "anna@acme.example",
        "company_state": "VERIFIED" if verified else "UNVERIFIED",
    }
    return json_reply(200, state)


def invoices(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The invoices that were received: none."""
    minted = _admitted(sandbox, exchange, ("invoice:receive",), verified=True)
    return minted if isinstance(minted, Reply) else json_reply(200, [])


def send_invoice(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The invoice's id; where the invoice goes is nobody's business here."""
    minted = _admitted(sandbox, exchange, ("invoice:send",), verified=True)
    return minted if isinstance(minted, Reply) else json_reply(200, {"id": str(uuid4()), "status": "PENDING"})


def _admitted(
    sandbox: Sandbox, exchange: Exchange, scopes: tuple[str, ...], *, verified: bool = False
) -> Minted | Reply:
    """What the token stands for, or the refusal.

    Source: the vendor's API specification: 401 for a bad token and for one without access. A company that is not
    verified gets `Unauthorized` when sending or receiving: assumed to be a 401 too, with that word as message.
    """
    minted, why = TOKENS.shown(sandbox, exchange, bearer(exchange) or "")
    if minted is None or (why := _why_shut(sandbox, minted)):
        exchange.decide("invalid_token", why)
        return problem(401, "access_denied", "Access denied")
    if scopes and not set(scopes) & set(minted.scopes):
        exchange.decide("insufficient_scope", " ".join(scopes))
        return problem(401, "access_denied", "Access denied")
    if verified and not _is_verified(sandbox, minted):
        exchange.decide("unverified", "the company has not been verified")
        return problem(401, "unauthorized", "Unauthorized")
    exchange.decide("served")
    return minted


def _why_shut(sandbox: Sandbox, minted: Minted) -> str:
    """Why a token that has not expired opens nothing; empty if it does."""
    operator = sandbox.fixtures.find(OPERATORS, minted.account)
    if operator is not None:
        return "" if digest(operator.secret) == minted.key else "the secret was changed"
    found = sandbox.fixtures.find(COMPANIES, minted.account)
    if found is None or minted.key not in {digest(key) for key in found.keys}:
        return "the key was deleted"
    return "the account is locked" if found.locked else ""


def _is_verified(sandbox: Sandbox, minted: Minted) -> bool:
    found = sandbox.fixtures.find(COMPANIES, minted.account)
    return found is None or found.verified


def _party(sandbox: Sandbox, minted: Minted) -> dict[str, object]:
    found = sandbox.fixtures.find(COMPANIES, minted.account) or Company("Operator Oy")
    return {"id": minted.account, "name": found.name, "country": "FI", "bid": "1234567-1", "disabled": found.locked}

"""The revocation endpoint: a refresh token takes its whole grant along, an access token dies alone."""

from sandbox.client_authentication import authenticate, claimed_client_id, read_form
from sandbox.errors import OAuthError
from sandbox.exchange import NO_STORE, Exchange, Reply
from sandbox.secrecy import fingerprint
from sandbox.state import Sandbox


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note the client that the request names."""
    exchange.entry.client_id = claimed_client_id(exchange)


def revocation(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """200 whether or not the token was known.

    Raises: OAuthError invalid_request, invalid_client, or invalid_grant for another client's token.
    Source: RFC 7009 section 2. `token_type_hint` is only a hint: both kinds are looked for in any case.
    """
    form = read_form(exchange)
    client = authenticate(sandbox, exchange, form)
    token = form.get("token")
    if token is None:
        raise OAuthError("invalid_request", "token is missing")
    exchange.entry.presented = fingerprint(token)
    _revoke(sandbox, exchange, token, client.client_id)
    return Reply(200, b"", "text/plain", dict(NO_STORE))


def _revoke(sandbox: Sandbox, exchange: Exchange, token: str, client_id: str) -> None:
    refresh = sandbox.tokens.refresh_row(token)
    access = None if refresh else sandbox.tokens.access_row(token)
    row = refresh or access
    if row is None:
        return exchange.decide("unknown_token", "nothing to revoke")
    if row["client_id"] != client_id:
        raise OAuthError("invalid_grant", "the token was issued to another client")
    exchange.entry.grant = row["grant_id"]
    if access is not None:
        sandbox.tokens.revoke_access(access["hash"])
        return exchange.decide("access_token_revoked")
    alive = sandbox.grants.revoke(row["grant_id"], "revoked_by_client")
    return exchange.decide("grant_revoked", "" if alive else "the grant was dead already")

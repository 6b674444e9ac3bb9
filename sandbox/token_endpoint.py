"""The token endpoint: codes and refresh tokens in, access tokens out."""

from typing import Any

from sandbox.client_authentication import authenticate, claimed_client_id, read_form
from sandbox.clients import Client
from sandbox.codes import Redemption
from sandbox.errors import OAuthError
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.grants import Consent
from sandbox.scopes import distinct
from sandbox.secrecy import fingerprint
from sandbox.state import Sandbox
from sandbox.tokens import Issued


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note client and grant in the log as soon as the request is in, so that overlaps are seen."""
    entry, form = exchange.entry, dict(exchange.form())
    entry.client_id = claimed_client_id(exchange)
    token = form.get("refresh_token", "")
    if token:
        entry.presented = fingerprint(token)
    row = sandbox.tokens.refresh_row(token) if token else None
    if row is not None:
        entry.user = row["user_id"]
        sandbox.journal.enter_grant(entry, row["grant_id"])


def token(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """A token response.

    Raises: OAuthError.
    Source: RFC 6749 sections 4.1.3, 5 and 6.
    """
    form = read_form(exchange)
    client = authenticate(sandbox, exchange, form)
    grant_type = form.get("grant_type", "")
    if grant_type == "authorization_code":
        return _authorization_code(sandbox, exchange, client, form)
    if grant_type == "refresh_token":
        return _refresh_token(sandbox, exchange, client, form)
    if not grant_type:
        raise OAuthError("invalid_request", "grant_type is missing")
    raise OAuthError("unsupported_grant_type", "only authorization_code and refresh_token")


def _authorization_code(sandbox: Sandbox, exchange: Exchange, client: Client, form: dict[str, str]) -> Reply:
    code, redirect_uri = needed(form, "code"), needed(form, "redirect_uri")
    exchange.entry.presented = fingerprint(code)
    shown = Redemption(code, client.client_id, redirect_uri, form.get("code_verifier", ""))
    consent, nonce = sandbox.codes.redeem(shown)
    grant = sandbox.grants.create(consent)
    sandbox.codes.bind(code, grant.id)
    exchange.entry.grant, exchange.entry.user = grant.id, grant.user_id
    issued = sandbox.tokens.first_pair(grant, _narrowed(exchange, grant.scope), client.settings)
    exchange.decide("issued", "a code was redeemed")
    return _reply(exchange, issued, _id_token(sandbox, consent, nonce))


def _refresh_token(sandbox: Sandbox, exchange: Exchange, client: Client, form: dict[str, str]) -> Reply:
    presented = needed(form, "refresh_token")
    row = sandbox.tokens.usable_refresh(presented, client.client_id, client.settings.grace_seconds)
    scope = _narrowed(exchange, asked_scope(form, row["scope"]))
    keep = exchange.fault is not None and exchange.fault.kind == "omit_refresh_token"
    late = row["spent_at"] is not None
    issued = sandbox.tokens.next_pair(row, scope, client.settings, keep=keep)
    rotated = "rotated" if issued.refresh_token else "renewed"
    exchange.decide(rotated, "within the grace time" if late else "")
    return _reply(exchange, issued, {})


def asked_scope(form: dict[str, str], granted: str) -> str:
    """The scope of a refresh, which may narrow what was granted and never widen it.

    Raises: OAuthError invalid_scope.
    Source: RFC 6749 section 6.
    """
    asked = distinct(form.get("scope", granted))
    if not set(asked) <= set(granted.split()):
        raise OAuthError("invalid_scope", "more scope than was granted")
    return " ".join(asked)


def _narrowed(exchange: Exchange, scope: str) -> str:
    fault = exchange.fault
    if fault is None or fault.kind != "narrow_scope":
        return scope
    return " ".join(one for one in distinct(scope) if one in fault.scope.split())


def needed(form: dict[str, str], name: str) -> str:
    """The parameter of that name.

    Raises: OAuthError invalid_request.
    """
    if name not in form:
        raise OAuthError("invalid_request", f"{name} is missing")
    return form[name]


def _id_token(sandbox: Sandbox, consent: Consent, nonce: str) -> dict[str, str]:
    """An ID token when `openid` was granted, else nothing."""
    if "openid" not in consent.scope.split():
        return {}
    claims: dict[str, Any] = {"iss": sandbox.issuer, "sub": consent.user_id, "aud": consent.client_id}
    if nonce:
        claims["nonce"] = nonce
    return {"id_token": sandbox.signer.id_token(claims)}


def _reply(exchange: Exchange, issued: Issued, more: dict[str, str]) -> Reply:
    exchange.entry.issued = {"access_token": fingerprint(issued.access_token)}
    members: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    if issued.refresh_token:
        exchange.entry.issued["refresh_token"] = fingerprint(issued.refresh_token)
        members["refresh_token"] = issued.refresh_token
    return json_reply(200, {**members, **more})

"""What Visma Connect's tokens say."""

from typing import Any

from sandbox.clients import Client
from sandbox.exchange import Exchange
from sandbox.grants import Consent
from sandbox.scopes import distinct
from sandbox.secrecy import fingerprint
from sandbox.state import Sandbox
from sandbox.visma_connect_accounts import SITE
from sandbox.visma_connect_scopes import audiences


def for_person(
    sandbox: Sandbox, exchange: Exchange, client: Client, consent: Consent, signed_in_at: float
) -> dict[str, Any]:
    """The members of a token response for a person, without a refresh token."""
    claims: dict[str, Any] = {"sub": consent.user_id, "auth_time": int(signed_in_at)}
    if consent.company_id:
        claims["tenant_id"] = consent.company_id
    return access(sandbox, exchange, client, consent.scope, claims)


def access(sandbox: Sandbox, exchange: Exchange, client: Client, scope: str, claims: dict[str, Any]) -> dict[str, Any]:
    """The members of a token response: a signed access token with these claims besides the usual ones.

    Source: the vendor's page on access tokens.
    """
    fault, seconds = exchange.fault, client.settings.access_token_seconds
    if fault is not None and fault.kind == "narrow_scope":
        scope = " ".join(one for one in distinct(scope) if one in fault.scope.split())
    about = {"iss": SITE.issuer(sandbox), "client_id": client.client_id, "aud": audiences(sandbox.issuer, scope)}
    # A list, as this make of server writes it unless it is told otherwise.
    signed = sandbox.signer.access_token({**about, "scope": distinct(scope), **claims}, seconds)
    exchange.entry.issued = {"access_token": fingerprint(signed)}
    return {"access_token": signed, "token_type": "Bearer", "expires_in": seconds, "scope": scope}


def id_token(sandbox: Sandbox, client: Client, consent: Consent, nonce: str) -> dict[str, str]:
    """An ID token when `openid` was granted, else nothing."""
    if "openid" not in consent.scope.split():
        return {}
    claims = {"iss": SITE.issuer(sandbox), "sub": consent.user_id, "aud": client.client_id}
    return {"id_token": sandbox.signer.id_token({**claims, "nonce": nonce} if nonce else claims)}


def refresh_member(token: str | None) -> dict[str, str]:
    """A refresh token as a member of the response, if there is one."""
    return {"refresh_token": token} if token else {}

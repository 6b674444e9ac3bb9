"""Visma Connect's token endpoint: codes, refresh tokens, and service applications."""

from typing import Any

from sandbox.client_authentication import claimed_client_id, read_form, shown
from sandbox.clients import Client
from sandbox.codes import Redemption
from sandbox.errors import OAuthError
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.grants import Consent
from sandbox.scopes import distinct
from sandbox.secrecy import fingerprint
from sandbox.state import Sandbox
from sandbox.token_endpoint import asked_scope, needed
from sandbox.visma_connect_accounts import APPS, SITE, TENANTS, App, client_of
from sandbox.visma_connect_issue import access, for_person, id_token, refresh_member
from sandbox.visma_connect_scopes import chooses as chooses_tenant
from sandbox.visma_connect_scopes import resource_of

SERVER_TEXT = "The application user or subscription is not entitled to use the API."


def authenticate(sandbox: Sandbox, exchange: Exchange, form: dict[str, str]) -> tuple[Client, App]:
    """The application that proved who it is.

    Raises: OAuthError invalid_client, always with 400, or invalid_request.
    Source: the portal's page on tokens says 400 for the revocation endpoint; the same is assumed for the other.
    """
    client_id, secret = shown(exchange, form)
    app = sandbox.fixtures.find(APPS, client_id)
    client = client_of(client_id, app) if app else None
    if app is None or client is None or not client.accepts(secret):
        raise OAuthError("invalid_client", "unknown client or wrong secret")
    return client, app


def identify(sandbox: Sandbox, exchange: Exchange) -> None:
    """Note application and grant in the log as soon as the request is in."""
    entry, token = exchange.entry, dict(exchange.form()).get("refresh_token", "")
    entry.client_id = claimed_client_id(exchange)
    row = sandbox.tokens.refresh_row(token) if token else None
    entry.presented = fingerprint(token) if token else ""
    if row is not None:
        entry.user = row["user_id"]
        sandbox.journal.enter_grant(entry, row["grant_id"])


def token(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """A token response.

    Raises: OAuthError.
    Source: RFC 6749 sections 4.1.3, 4.4, 5 and 6, and the portal's pages on web and service applications.
    """
    form = read_form(exchange)
    client, app = authenticate(sandbox, exchange, form)
    grant_type = form.get("grant_type", "")
    if grant_type == "client_credentials":
        return _client_credentials(sandbox, exchange, client, app, form)
    if grant_type in ("authorization_code", "refresh_token") and app.type == "service":
        raise OAuthError("unauthorized_client", "a service application has client_credentials only")
    if grant_type == "authorization_code":
        return _authorization_code(sandbox, exchange, client, form)
    if grant_type == "refresh_token":
        return _refresh_token(sandbox, exchange, client, app, form)
    if not grant_type:
        raise OAuthError("invalid_request", "grant_type is missing")
    raise OAuthError("unsupported_grant_type", "authorization_code, refresh_token or client_credentials")


def _authorization_code(sandbox: Sandbox, exchange: Exchange, client: Client, form: dict[str, str]) -> Reply:
    code, redirect_uri = needed(form, "code"), needed(form, "redirect_uri")
    exchange.entry.presented = fingerprint(code)
    redemption = Redemption(code, SITE.key(client.client_id), redirect_uri, form.get("code_verifier", ""))
    consent, nonce = sandbox.codes.redeem(redemption)
    _check_tenant(sandbox, consent)
    grant = sandbox.grants.create(consent)
    sandbox.codes.bind(code, grant.id)
    exchange.entry.grant, exchange.entry.user = grant.id, grant.user_id
    refresh = sandbox.tokens.first_refresh(grant, client.settings)
    exchange.decide("issued", "a code was redeemed")
    members = for_person(sandbox, exchange, client, consent, grant.created_at)
    return _reply(exchange, {**members, **refresh_member(refresh), **id_token(sandbox, client, consent, nonce)})


def _refresh_token(sandbox: Sandbox, exchange: Exchange, client: Client, app: App, form: dict[str, str]) -> Reply:
    presented, key = needed(form, "refresh_token"), SITE.key(client.client_id)
    row = sandbox.tokens.refresh_row(presented)
    try:
        row = sandbox.tokens.usable_refresh(presented, key, client.settings.grace_seconds)
    except OAuthError as error:
        if error.decision == "reuse_detected" and row is not None:
            # The portal's page: using a one-time token twice revokes all access of that client and user.
            sandbox.grants.revoke_between(key, row["user_id"], "reuse_detected")
        raise
    grant = sandbox.grants.get(row["grant_id"])
    assert grant is not None
    consent = Consent(key, grant.user_id, grant.company_id, asked_scope(form, grant.scope))
    _check_tenant(sandbox, consent)
    keep = app.refresh != "one-time" or (exchange.fault is not None and exchange.fault.kind == "omit_refresh_token")
    fresh = sandbox.tokens.next_refresh(row, client.settings, keep=keep)
    exchange.decide("rotated" if fresh else "renewed", "within the grace time" if row["spent_at"] else "")
    members = for_person(sandbox, exchange, client, consent, grant.created_at)
    # A re-use token comes back as it went.
    return _reply(exchange, {**members, **refresh_member(fresh or presented)})


def _client_credentials(sandbox: Sandbox, exchange: Exchange, client: Client, app: App, form: dict[str, str]) -> Reply:
    scope = " ".join(distinct(needed(form, "scope")))
    needs_tenant = _check_service_scope(app, scope)
    tenant_id = form.get("tenant_id", "")
    if needs_tenant and not tenant_id:
        raise OAuthError("invalid_request", "tenant_id is missing")
    if tenant_id:
        _check_granted(sandbox, client.client_id, tenant_id)
    exchange.entry.user = tenant_id
    exchange.decide("issued", "client credentials")
    claims = {"tenant_id": tenant_id} if tenant_id else {}
    return _reply(exchange, access(sandbox, exchange, client, scope, claims))


def _check_service_scope(app: App, scope: str) -> bool:
    """Whether a tenant has to be named for the scope."""
    own = app.scopes or ()
    resources = [resource_of(one, own) for one in distinct(scope)]
    allowed = app.scopes is None or set(distinct(scope)) <= set(own)
    if not allowed or not all(one is not None and one.services for one in resources):
        raise OAuthError("invalid_scope", "unknown, not this application's, or for people only")
    return any(one is not None and one.needs_tenant for one in resources)


def _check_granted(sandbox: Sandbox, client_id: str, tenant_id: str) -> None:
    """`invalid_tenant` for no such tenant and for one that did not grant the application: assumed for both."""
    tenant = sandbox.fixtures.find(TENANTS, tenant_id)
    if tenant is None or client_id not in tenant.apps:
        raise OAuthError("invalid_tenant", "the tenant is unknown or has not granted the application")


def _check_tenant(sandbox: Sandbox, consent: Consent) -> None:
    """Source: a community answer: without the role, `invalid_tenant` instead of a token; assumed for renewal too."""
    if not chooses_tenant(consent.scope):
        return
    user, tenant = SITE.person(sandbox, consent.user_id), sandbox.fixtures.find(TENANTS, consent.company_id)
    if user is None or user.company(consent.company_id) is None or tenant is None or not tenant.api_role:
        raise OAuthError("invalid_tenant", SERVER_TEXT)


def _reply(exchange: Exchange, members: dict[str, Any]) -> Reply:
    if "refresh_token" in members:
        exchange.entry.issued["refresh_token"] = fingerprint(members["refresh_token"])
    return json_reply(200, members)

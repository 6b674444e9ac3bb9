"""The authorization endpoint: judge the request, then show the sign-in page."""

import re
from urllib.parse import urlencode, urlsplit, urlunsplit

from sandbox.clients import Client
from sandbox.errors import OAuthError, PageError
from sandbox.exchange import Exchange, Reply, redirect, repeated
from sandbox.interactions import AuthorizationRequest
from sandbox.scopes import MANDATORY, distinct, unknown
from sandbox.signin import browser_of, next_page, with_browser
from sandbox.state import Sandbox

SERVICE = "service:44643eb1-3f76-4c1c-a672-402ae8085934"
PROMPTS = {"none", "login", "consent", "select_account"}
S256_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")


def authorize(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The next page for the person, or an error sent back to the client.

    Raises: PageError while it is not certain that the redirect URI is the client's own.
    Source: RFC 6749 section 4.1.1 and 4.1.2.1.
    """
    given = exchange.query()
    client, redirect_uri = _certain(sandbox, exchange, given)
    state = dict(given).get("state")
    try:
        asked = _judge(client, redirect_uri, given)
        return _begin(sandbox, exchange, asked)
    except OAuthError as error:
        exchange.decide(error.decision, error.description)
        members = {"error": error.error, "error_description": error.description}
        return answer(sandbox, client, redirect_uri, state, members)


def answer(sandbox: Sandbox, client: Client, uri: str, state: str | None, members: dict[str, str]) -> Reply:
    """An authorization response, carried by the browser.

    Source: RFC 6749 section 4.1.2, RFC 9207 section 2.
    """
    if state is not None:
        members = {**members, "state": state}
    if client.settings.response_iss == "send":
        members = {**members, "iss": sandbox.issuer}
    if client.settings.response_iss == "forge":
        members = {**members, "iss": "https://another-issuer.example"}
    parts = urlsplit(uri)
    query = "&".join(filter(None, [parts.query, urlencode(members)]))
    return redirect(urlunsplit(parts._replace(query=query)))


def _certain(sandbox: Sandbox, exchange: Exchange, given: list[tuple[str, str]]) -> tuple[Client, str]:
    """Client and redirect URI, compared character by character.

    Source: RFC 9700 section 2.1.
    """
    for name in ("client_id", "redirect_uri"):
        if sum(1 for key, _ in given if key == name) != 1:
            raise PageError(f"The parameter {name} must be given exactly once.")
    parameters = dict(given)
    exchange.entry.client_id = parameters["client_id"]
    client = sandbox.clients.get(parameters["client_id"])
    if client is None:
        raise PageError("This client is not registered here.")
    if parameters["redirect_uri"] not in client.settings.redirect_uris:
        raise PageError("This redirect URI is not registered for the client.")
    return client, parameters["redirect_uri"]


def _judge(client: Client, redirect_uri: str, given: list[tuple[str, str]]) -> AuthorizationRequest:
    if (name := repeated(given)) is not None:
        raise OAuthError("invalid_request", f"{name} is given more than once")
    asked = dict(given)
    _check_response(asked)
    _check_acr(asked.get("acr_values", ""))
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        scope=_scope(client, asked.get("scope", "")),
        state=asked.get("state"),
        code_challenge=_challenge(client, asked),
        nonce=asked.get("nonce", ""),
        prompt=_prompt(asked.get("prompt", "")),
        login_hint=asked.get("login_hint", ""),
    )


def _check_response(asked: dict[str, str]) -> None:
    if "response_type" not in asked:
        raise OAuthError("invalid_request", "response_type is missing")
    if asked["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "only `code` is supported")
    if asked.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "only the response mode `query` is supported")
    for name in ("request", "request_uri"):
        if name in asked:
            raise OAuthError(f"{name}_not_supported", "parameters belong into the query")


def _scope(client: Client, scope: str) -> str:
    """Source: the vendor's authentication page: `ea:api` is mandatory."""
    if strange := unknown(scope, client.settings.scopes):
        raise OAuthError("invalid_scope", f"unknown or not allowed: {' '.join(strange)}"[:200])
    if MANDATORY not in distinct(scope):
        raise OAuthError("invalid_scope", f"{MANDATORY} is mandatory")
    return " ".join(distinct(scope))


def _challenge(client: Client, asked: dict[str, str]) -> str:
    """Source: RFC 7636 sections 4.2 to 4.4.1; without a method, `plain` is meant."""
    challenge = asked.get("code_challenge", "")
    if not challenge:
        if client.settings.require_pkce or "code_challenge_method" in asked:
            raise OAuthError("invalid_request", "code challenge required")
        return ""
    if asked.get("code_challenge_method", "plain") != "S256":
        raise OAuthError("invalid_request", "transform algorithm not supported: S256 only")
    if not S256_CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "code_challenge is not the base64url of a SHA-256")
    return challenge


def _prompt(prompt: str) -> tuple[str, ...]:
    values = tuple(distinct(prompt))
    if not set(values) <= PROMPTS or ("none" in values and len(values) > 1):
        raise OAuthError("invalid_request", "unknown prompt, or `none` together with another one")
    return values


def _check_acr(acr_values: str) -> None:
    """Source: the vendor's page on its identity server; `service:` names the product, here eAccounting."""
    services = [one.lower() for one in acr_values.split() if one.lower().startswith("service:")]
    if any(one != SERVICE for one in services):
        raise OAuthError("invalid_request", "acr_values names a service other than eAccounting")


def _begin(sandbox: Sandbox, exchange: Exchange, asked: AuthorizationRequest) -> Reply:
    browser, fresh = browser_of(exchange)
    user_id = sandbox.interactions.user_of(browser)
    if "none" in asked.prompt:
        raise OAuthError("interaction_required" if user_id else "login_required", "a person has to act")
    walk = sandbox.interactions.begin(asked, browser)
    if user_id and not {"login", "select_account"} & set(asked.prompt):
        walk.user_id = user_id
    exchange.decide("asked_person", "signed in already" if walk.user_id else "sign-in page")
    return with_browser(next_page(sandbox, walk), browser, fresh)

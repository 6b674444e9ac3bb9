"""The authorization endpoint: judge the request, then show the sign-in page."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.clients import Client
from sandbox.errors import OAuthError, PageError
from sandbox.exchange import Exchange, Reply, repeated
from sandbox.interactions import AuthorizationRequest
from sandbox.responses import Destination, answer
from sandbox.scopes import distinct
from sandbox.signin import browser_of, next_page, with_browser
from sandbox.site import Site
from sandbox.state import Sandbox

PROMPTS = {"none", "login", "consent", "select_account"}
S256_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")
# The scope that the client gets, or an OAuthError: where the authorization servers differ in judgement.
Judge = Callable[[Sandbox, Client, dict[str, str]], str]


@dataclass(frozen=True, slots=True)
class AuthorizationEndpoint:
    """The authorization endpoint of one site."""

    site: Site
    judge: Judge

    def __call__(self, sandbox: Sandbox, exchange: Exchange) -> Reply:
        """The next page for the person, or an error sent back to the client.

        Raises: PageError while it is not certain that the redirect URI is the client's own.
        Source: RFC 6749 section 4.1.1 and 4.1.2.1.
        """
        given = exchange.query()
        to = _certain(sandbox, exchange, self.site, given)
        try:
            asked = self._judged(sandbox, to, given)
            return self._begin(sandbox, exchange, asked)
        except OAuthError as error:
            exchange.decide(error.decision, error.description)
            return answer(sandbox, to, {"error": error.error, "error_description": error.description})

    def _judged(self, sandbox: Sandbox, to: Destination, given: list[tuple[str, str]]) -> AuthorizationRequest:
        if (name := repeated(given)) is not None:
            raise OAuthError("invalid_request", f"{name} is given more than once")
        asked = dict(given)
        _check_response(asked, to)
        return AuthorizationRequest(
            client_id=to.client.client_id,
            redirect_uri=to.redirect_uri,
            scope=self.judge(sandbox, to.client, asked),
            state=to.state,
            code_challenge=_challenge(to.client, asked),
            nonce=asked.get("nonce", ""),
            prompt=_prompt(asked.get("prompt", "")),
            login_hint=asked.get("login_hint", ""),
            response_mode=to.response_mode,
        )

    def _begin(self, sandbox: Sandbox, exchange: Exchange, asked: AuthorizationRequest) -> Reply:
        browser, fresh = browser_of(exchange)
        user_id = sandbox.interactions.user_of(browser, self.site.name)
        if "none" in asked.prompt:
            raise OAuthError("interaction_required" if user_id else "login_required", "a person has to act")
        walk = sandbox.interactions.begin(asked, browser, self.site.name)
        if user_id and not {"login", "select_account"} & set(asked.prompt):
            walk.user_id = user_id
        exchange.decide("asked_person", "signed in already" if walk.user_id else "sign-in page")
        return with_browser(next_page(sandbox, self.site, walk), browser, fresh)


def _certain(sandbox: Sandbox, exchange: Exchange, site: Site, given: list[tuple[str, str]]) -> Destination:
    """Client and redirect URI, compared character by character.

    Source: RFC 9700 section 2.1.
    """
    for name in ("client_id", "redirect_uri"):
        if sum(1 for key, _ in given if key == name) != 1:
            raise PageError(f"The parameter {name} must be given exactly once.")
    parameters = dict(given)
    exchange.entry.client_id = parameters["client_id"]
    client = site.client(sandbox, parameters["client_id"])
    if client is None:
        raise PageError("This client is not registered here.")
    if parameters["redirect_uri"] not in client.settings.redirect_uris:
        raise PageError("This redirect URI is not registered for the client.")
    modes = client.settings.response_modes
    mode = parameters.get("response_mode", "query")
    return Destination(
        site, client, parameters["redirect_uri"], mode if mode in modes else modes[0], parameters.get("state")
    )


def _check_response(asked: dict[str, str], to: Destination) -> None:
    if "response_type" not in asked:
        raise OAuthError("invalid_request", "response_type is missing")
    if asked["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "only `code` is supported")
    if asked.get("response_mode", "query") != to.response_mode:
        modes = ", ".join(to.client.settings.response_modes)
        raise OAuthError("invalid_request", f"the response mode of this client is one of: {modes}")
    for name in ("request", "request_uri"):
        if name in asked:
            raise OAuthError(f"{name}_not_supported", "parameters belong into the query")


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

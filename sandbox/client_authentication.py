"""Who calls the token or revocation endpoint: Basic or form post, never both."""

import base64
import binascii
from urllib.parse import unquote_plus

from sandbox.clients import Client
from sandbox.errors import OAuthError
from sandbox.exchange import Exchange, repeated
from sandbox.state import Sandbox

FORM = "application/x-www-form-urlencoded"


def read_form(exchange: Exchange) -> dict[str, str]:
    """The parameters of the body, each at most once.

    Raises: OAuthError invalid_request.
    Source: RFC 6749 sections 2.3.1 (nothing in the query), 3.2 and appendix B.
    """
    if exchange.request.content_type != FORM:
        raise OAuthError("invalid_request", f"the body must be {FORM}")
    if exchange.request.rel_url.raw_query_string:
        raise OAuthError("invalid_request", "parameters belong into the body, not into the URI")
    given = exchange.form()
    if (name := repeated(given)) is not None:
        raise OAuthError("invalid_request", f"{name} is given more than once")
    return dict(given)


def authenticate(sandbox: Sandbox, exchange: Exchange, form: dict[str, str]) -> Client:
    """The client that proved who it is.

    Raises: OAuthError invalid_client (401 after Basic) or invalid_request.
    Source: RFC 6749 section 2.3.
    """
    client_id, secret = shown(exchange, form)
    client = sandbox.clients.get(client_id)
    if client is None or not client.accepts(secret):
        status = 401 if "Authorization" in exchange.request.headers else 400
        raise OAuthError("invalid_client", "unknown client or wrong secret", status=status)
    return client


def shown(exchange: Exchange, form: dict[str, str]) -> tuple[str, str]:
    """The client id and the secret that the request shows, unproven; empty ones if it shows none.

    Raises: OAuthError invalid_request.
    """
    header = exchange.request.headers.get("Authorization")
    if header is None:
        return form.get("client_id", ""), form.get("client_secret", "")
    return _of_header(header, form)


def _of_header(header: str, form: dict[str, str]) -> tuple[str, str]:
    if "client_secret" in form:
        raise OAuthError("invalid_request", "one client authentication method only: Basic or body, not both")
    client_id, secret = basic_parts(header)
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_request", "client_id in the body differs from the one in Basic")
    return client_id, secret


def basic_parts(header: str) -> tuple[str, str]:
    """Client id and secret of an Authorization header, form-decoded; empty ones if it cannot be read."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    client_id, _, secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def claimed_client_id(exchange: Exchange) -> str:
    """The client_id that the request names, unproven; empty if none."""
    header = exchange.request.headers.get("Authorization")
    if header:
        return basic_parts(header)[0]
    return dict(exchange.form()).get("client_id", "")

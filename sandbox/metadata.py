"""What the server says about itself."""

from typing import Any

from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.scopes import SCOPES
from sandbox.state import Sandbox

PATHS = {
    "authorization_endpoint": "/connect/authorize",
    "token_endpoint": "/connect/token",
    "revocation_endpoint": "/connect/revocation",
    "userinfo_endpoint": "/connect/userinfo",
    "jwks_uri": "/.well-known/openid-configuration/jwks",
}


def metadata(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The metadata document.

    Source: RFC 8414 section 2, RFC 9207 section 3, OpenID Connect Discovery section 3.
    """
    exchange.decide("metadata")
    own = {
        "scopes_supported": list(SCOPES),
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "authorization_response_iss_parameter_supported": sandbox.options.response_iss == "send",
    }
    return json_reply(200, {**common(sandbox.issuer), **own})


def common(issuer: str) -> dict[str, Any]:
    """What the metadata of every authorization server here has: endpoints, and what all of them can do."""
    methods = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": issuer,
        **{name: issuer + path for name, path in PATHS.items()},
        "response_types_supported": ["code"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def jwks(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The keys that tokens are signed with."""
    exchange.decide("keys")
    return json_reply(200, sandbox.signer.public_keys())

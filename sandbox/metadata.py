"""What the server says about itself."""

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
    methods = ["client_secret_basic", "client_secret_post"]
    exchange.decide("metadata")
    return json_reply(
        200,
        {
            "issuer": sandbox.issuer,
            **{name: sandbox.issuer + path for name, path in PATHS.items()},
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": sandbox.options.response_iss == "send",
        },
    )


def jwks(sandbox: Sandbox, exchange: Exchange) -> Reply:
    """The keys ID tokens are signed with."""
    exchange.decide("keys")
    return json_reply(200, sandbox.signer.public_keys())

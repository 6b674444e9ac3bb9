"""What a definition may not say, however well it is typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from providers.definition.account_rules import account_complaints
from providers.definition.kind_rules import kind_complaints, refusal_complaints, template_complaints
from providers.definition.signing_rules import signing_complaints
from providers.definition.trait_rules import trait_complaints
from providers.definition.values import Environment, ProviderDefinition
from providers.errors import DefinitionError

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
# What the authorization request sets itself; response_mode is here because response_modes_supported says it.
RESERVED_AUTHORIZATION_PARAMETERS = frozenset(
    {
        "response_type",
        "response_mode",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "ui_locales",
        "code_challenge",
        "code_challenge_method",
        "request",
        "request_uri",
        "client_secret",
    }
)
RESERVED_TOKEN_PARAMETERS = frozenset(
    {"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "client_id", "client_secret"}
)
_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_AUTHORIZATION_SERVER = ("issuer", "authorization_endpoint", "token_endpoint")
_ENDPOINTS = (
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "api_base_url",
)

Complaint = tuple[str, str]


def check_definition(definition: ProviderDefinition, *, file: str, allow_loopback: bool) -> None:
    """Nothing when the definition keeps the rules.

    Raises: DefinitionError for the first rule that is broken.
    """
    for key, expected in _complaints(definition, allow_loopback):
        raise DefinitionError(file=file, key=key, expected=expected)


def _complaints(definition: ProviderDefinition, allow_loopback: bool) -> Iterator[Complaint]:
    if not _IDENTIFIER.fullmatch(definition.id):
        yield "id", "lower-case words joined by hyphens"
    if not definition.environments:
        yield "environments", "at least one"
    yield from _url("documentation", definition.documentation, allow_loopback=False)
    for name, environment in definition.environments.items():
        yield from _environment(f"environments.{name}", name, environment, allow_loopback)
        if definition.grant_types_supported:
            yield from _authorization_server(f"environments.{name}", environment)
        elif definition.minting is not None and not environment.token_endpoint:
            yield f"environments.{name}.token_endpoint", "a URL, since tokens are minted there"
    yield from _protocol(definition)
    yield from _parameters(definition)
    yield from _scopes(definition)
    yield from trait_complaints(definition)
    yield from account_complaints(definition)
    yield from signing_complaints(definition)
    yield from kind_complaints(definition)
    yield from template_complaints(definition)
    yield from refusal_complaints(definition)


def _environment(key: str, name: str, environment: Environment, allow_loopback: bool) -> Iterator[Complaint]:
    if not _IDENTIFIER.fullmatch(name):
        yield key, "a name of lower-case words joined by hyphens"
    for endpoint in _ENDPOINTS:
        value = getattr(environment, endpoint)
        if value:
            yield from _url(f"{key}.{endpoint}", value, allow_loopback)
    if not environment.api_base_url:
        yield f"{key}.api_base_url", "a URL"
    for host in environment.api_hosts:
        if not _HOST.fullmatch(host) and not (allow_loopback and host in LOOPBACK_HOSTS):
            yield f"{key}.api_hosts", "host names in lower case"


def _authorization_server(key: str, environment: Environment) -> Iterator[Complaint]:
    for endpoint in _AUTHORIZATION_SERVER:
        if not getattr(environment, endpoint):
            yield f"{key}.{endpoint}", "a URL, since there are grant_types_supported"


def _url(key: str, value: str, allow_loopback: bool) -> Iterator[Complaint]:
    try:
        parts = urlsplit(value)
        loopback = allow_loopback and parts.hostname in LOOPBACK_HOSTS
        userinfo, _ = parts.username or parts.password, parts.port
    except ValueError:
        yield key, "a URL"
        return
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        yield key, "an https URL (http only for loopback, where that is allowed)"
    if not parts.hostname or userinfo or "#" in value or not re.fullmatch(r"[\x21-\x7e]+", value):
        yield key, "a URL with a host, without user, fragment, space or control character"


def _protocol(definition: ProviderDefinition) -> Iterator[Complaint]:
    if definition.grant_types_supported and "authorization_code" not in definition.grant_types_supported:
        yield "grant_types_supported", "authorization_code among them, or none at all"
    if definition.response_types_supported != ("code",):
        yield "response_types_supported", '["code"]: tokens never travel through the browser (RFC 9700 2.1.2)'
    if definition.response_modes_supported not in (("query",), ("form_post",)):
        yield "response_modes_supported", '["query"] or ["form_post"]'
    if definition.code_challenge_methods_supported != ("S256",):
        yield "code_challenge_methods_supported", '["S256"] (RFC 9700 2.1.1)'
    if not definition.token_endpoint_auth_methods_supported:
        yield "token_endpoint_auth_methods_supported", "at least one, the default first"


def _parameters(definition: ProviderDefinition) -> Iterator[Complaint]:
    for name in RESERVED_AUTHORIZATION_PARAMETERS & definition.authorization_extra_parameters.keys():
        yield f"authorization_extra_parameters.{name}", "a parameter that the request does not set itself"
    for name in RESERVED_TOKEN_PARAMETERS & definition.quirks.token_request_extra_parameters.keys():
        yield (
            f"quirks.token_request_extra_parameters.{name}",
            "a parameter that the request does not set itself",
        )
    for name, target in definition.quirks.token_type_aliases.items():
        if name != name.lower() or target != "Bearer":
            yield f"quirks.token_type_aliases.{name}", 'a name in lower case that stands for "Bearer"'


def _scopes(definition: ProviderDefinition) -> Iterator[Complaint]:
    for entry in definition.scopes_supported:
        if not entry.description:
            yield "scopes_supported", f"{entry.name} with a description, for the connect page"
    for key in ("required_scopes", "default_scopes"):
        for scope in getattr(definition, key):
            if not definition.has_scope(scope):
                yield key, f"{scope} described under scopes_supported, for the connect page"

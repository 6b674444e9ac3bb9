"""Hold the catalogue against the metadata that an authorization server publishes about itself.

Endpoints in use are always the catalogue's, reviewed and pinned; metadata never changes them at run time.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from providers.definition import Environment, ProviderDefinition
from providers.errors import ResponseMalformed
from providers.messages import HttpRequest, HttpResponse
from providers.protocol.strict_json import parse_object

_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint")


def build_metadata_requests(environment: Environment) -> tuple[HttpRequest, ...]:
    """The places metadata may be at, in the order to try: OpenID Connect's, then OAuth's own.

    Source: OpenID Connect Discovery section 4, RFC 8414 section 3.
    """
    parts = urlsplit(environment.issuer)
    oauth = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
    urls = (f"{environment.issuer.rstrip('/')}/.well-known/openid-configuration", oauth)
    return tuple(
        HttpRequest(method="GET", url=url, endpoint="metadata", headers={"accept": "application/json"}) for url in urls
    )


def process_response(definition: ProviderDefinition, response: HttpResponse) -> dict[str, Any] | None:
    """The document, or None when there is none at this place.

    Raises: ResponseMalformed.
    """
    if response.status == 404:
        return None
    document = parse_object(response.body) if response.status == 200 else None
    if document is None:
        raise ResponseMalformed(provider_id=definition.id, endpoint="metadata", status=response.status)
    return document


def differences(definition: ProviderDefinition, environment: Environment, document: dict[str, Any]) -> tuple[str, ...]:
    """What the document says otherwise, a sentence each; the issuer is compared character by character.

    Source: RFC 8414 section 3.3, RFC 9207 section 2.4.
    """
    found = [_differs(name, getattr(environment, name), document.get(name)) for name in ("issuer", *_ENDPOINTS)]
    announced = document.get("authorization_response_iss_parameter_supported") is True
    if announced and not environment.iss_required:
        found.append("authorization_response_iss_parameter_supported: announced, and not demanded by the catalogue")
    methods = document.get("code_challenge_methods_supported")
    if isinstance(methods, list) and not set(definition.code_challenge_methods_supported) & set(map(str, methods)):
        found.append("code_challenge_methods_supported: none of the catalogue's is offered")
    return tuple(sentence for sentence in found if sentence)


def _differs(name: str, ours: str | None, theirs: object) -> str:
    if ours is None or ours == theirs:
        return ""
    said = repr(theirs[:200]) if isinstance(theirs, str) else "nothing"
    return f"{name}: the catalogue says {ours!r}, the server {said}"

"""The revocation endpoint."""

from __future__ import annotations

from providers.definition import ProviderDefinition
from providers.messages import ClientRegistration, HttpRequest, HttpResponse, Secret
from providers.protocol.client_authentication import authenticate
from providers.protocol.refusals import error_of, refusal
from providers.protocol.strict_json import parse_object

ENDPOINT = "revocation"
# RFC 7009 wants 200 for a token that is no longer known; some say so with an error instead.
_ALREADY_REVOKED = frozenset({"invalid_grant", "invalid_token"})


def build_revocation_request(
    definition: ProviderDefinition, registration: ClientRegistration, url: str, *, token: Secret, hint: str
) -> HttpRequest:
    """The request that revokes one token.

    Shape:  hint is "refresh_token" or "access_token".
    Source: RFC 7009 section 2.1.
    """
    client_fields, headers = authenticate(definition, registration)
    fields = (("token", token.reveal()), ("token_type_hint", hint), *client_fields)
    return HttpRequest(method="POST", url=url, endpoint=ENDPOINT, fields=fields, headers=headers)


def process_response(definition: ProviderDefinition, response: HttpResponse, *, hint: str) -> None:
    """Nothing when the token is revoked, or was before, or is of a kind the provider does not revoke.

    Raises: ClientRejected, ProviderUnavailable, ResponseMalformed.
    Source: RFC 7009 section 2.2.
    """
    if 200 <= response.status < 300:
        return
    members = parse_object(response.body)
    error = error_of(definition, members)
    if response.status < 500 and error in _ALREADY_REVOKED:
        return
    if hint == "access_token" and response.status == 400 and error == "unsupported_token_type":
        # An access token that the provider cannot revoke ends by itself, soon.
        return
    raise refusal(definition, ENDPOINT, response, members)

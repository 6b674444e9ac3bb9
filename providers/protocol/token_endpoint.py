"""The token endpoint: requests for a code and for a refresh token, and the one judge of what comes back."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

from providers.definition import ProviderDefinition
from providers.errors import ResponseMalformed
from providers.messages import ClientRegistration, HttpRequest, HttpResponse, Secret, TokenResponse
from providers.protocol import known_refusals, quirks
from providers.protocol.client_authentication import authenticate
from providers.protocol.quirks import Fields
from providers.protocol.refusals import KNOWN_ERRORS, error_of, refusal
from providers.protocol.strict_json import parse_object

ENDPOINT = "token"
# Longer than any provider's token; a lifetime beyond it is a mistake, such as milliseconds or an instant.
MAXIMUM_BELIEVABLE_SECONDS = 10 * 366 * 86400
# An access token goes into a header (RFC 6750 section 2.1), so no space; a refresh token is VSCHAR.
_ACCESS_TOKEN = re.compile(r"[\x21-\x7e]+")
_REFRESH_TOKEN = re.compile(r"[\x20-\x7e]+")
_SECRET_MEMBERS = frozenset({"access_token", "refresh_token", "id_token"})
_JUDGED_MEMBERS = _SECRET_MEMBERS | {
    "token_type",
    "expires_in",
    "scope",
    "error",
    "error_description",
    "error_uri",
}
# Providers put further tokens and keys beside the standard ones; none of them may end where plain facts are
# kept.
_SECRET_NAME = re.compile(r"token|secret|key|password|assertion|code|jwt|credential|session|cookie", re.IGNORECASE)
_EXTRA_TEXT_LIMIT = 2048
_MOST_EXTRAS = 64
# RFC 6749 section 3.3, as far as it can be kept; a scope that cannot be is none that anybody asked for.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
_MOST_SCOPES = 500


def build_code_request(
    definition: ProviderDefinition,
    registration: ClientRegistration,
    url: str,
    *,
    code: str,
    code_verifier: str,
    redirect_uri: str,
) -> HttpRequest:
    """The request that exchanges a code.

    Source: RFC 6749 section 4.1.3, RFC 7636 section 4.5.
    """
    fields = (
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", code_verifier),
    )
    return _request(definition, registration, url, fields)


def build_refresh_request(
    definition: ProviderDefinition, registration: ClientRegistration, url: str, *, refresh_token: Secret
) -> HttpRequest:
    """The request that renews; without `scope`, so that nothing is narrowed by accident.

    Source: RFC 6749 section 6.
    """
    fields = (("grant_type", "refresh_token"), ("refresh_token", refresh_token.reveal()))
    return _request(definition, registration, url, fields)


def _request(definition: ProviderDefinition, registration: ClientRegistration, url: str, fields: Fields) -> HttpRequest:
    client_fields, headers = authenticate(definition, registration)
    extended = quirks.with_extra_token_parameters(definition.quirks, fields) + client_fields
    return HttpRequest(method="POST", url=url, endpoint=ENDPOINT, fields=extended, headers=headers)


def process_response(
    definition: ProviderDefinition, response: HttpResponse, now: dt.datetime | None = None
) -> TokenResponse:
    """The tokens a response carries.

    Shape:  now is the present, when it is not what the clock says.
    Units:  expires_in in seconds, as judged.
    Raises: GrantRejected, ClientRejected, ProviderUnavailable, ResponseMalformed.
    Source: RFC 6749 sections 5.1 and 5.2.
    """
    members = parse_object(response.body)
    if members is None:
        members = quirks.form_encoded_members(definition.quirks, response.body)
    if not 200 <= response.status < 300:
        raise refusal(definition, ENDPOINT, response, members)
    if members is None:
        raise _malformed(definition, response, "the body is not a JSON object")
    found = quirks.token_members(definition.quirks, members)
    if not quirks.access_token(definition.quirks, found) and _is_refusal(definition, response, members):
        raise refusal(definition, ENDPOINT, response, members)
    return _tokens(definition, response, found, now or dt.datetime.now(dt.UTC))


def _is_refusal(definition: ProviderDefinition, response: HttpResponse, members: Mapping[str, Any]) -> bool:
    known = known_refusals.find(definition, response, members, at=known_refusals.TOKEN)
    return known is not None or error_of(definition, members) in KNOWN_ERRORS


def _tokens(
    definition: ProviderDefinition, response: HttpResponse, members: Mapping[str, Any], now: dt.datetime
) -> TokenResponse:
    access_token = quirks.access_token(definition.quirks, members)
    token_type = quirks.token_type(definition.quirks, quirks.token_type_as_sent(definition.quirks, members))
    if members.get("error"):
        raise _malformed(definition, response, "an error in a successful response")
    if not isinstance(access_token, str) or not _ACCESS_TOKEN.fullmatch(access_token):
        raise _malformed(definition, response, "no usable access_token")
    if token_type is None:
        raise _malformed(definition, response, "a token_type that cannot be used")
    return TokenResponse(
        access_token=Secret(access_token),
        token_type=token_type,
        refresh_token=_refresh_token(definition, response, members.get("refresh_token")),
        expires_in=judged_lifetime(definition, quirks.lifetime(definition.quirks, members, now)),
        scope=_scope(definition, members.get("scope")),
        extras=_extras(definition, members),
        id_token=_id_token(members.get("id_token")),
    )


def _refresh_token(definition: ProviderDefinition, response: HttpResponse, value: object) -> Secret | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _REFRESH_TOKEN.fullmatch(value):
        raise _malformed(definition, response, "no usable refresh_token")
    return Secret(value)


def _id_token(value: object) -> Secret | None:
    # Not asked for, so a broken one is no reason to lose the tokens beside it.
    return Secret(value) if isinstance(value, str) and value else None


def judged_lifetime(definition: ProviderDefinition, value: object) -> int | None:
    """How long the access token lives; the provider's usual lifetime when it says nothing believable.

    Shape:  value as it came: a number, a number as text, or anything.
    Units:  seconds; None only for providers whose access tokens never expire.
    """
    traits = definition.traits
    seconds = _whole_seconds(value)
    if seconds is not None and 0 < seconds <= MAXIMUM_BELIEVABLE_SECONDS:
        return min(seconds, traits.access_token_lifetime_maximum_seconds)
    if traits.access_token_never_expires:
        return None
    return traits.access_token_lifetime_default_seconds


def _whole_seconds(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[0-9]{1,12}", value) else None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _scope(definition: ProviderDefinition, value: object) -> tuple[str, ...] | None:
    if isinstance(value, list):
        value = " ".join(entry for entry in value if isinstance(entry, str))
    if not isinstance(value, str):
        return None
    found = (scope for scope in quirks.split_scopes(definition.quirks, value) if _SCOPE.fullmatch(scope))
    return tuple(islice(found, _MOST_SCOPES)) or None


def _extras(definition: ProviderDefinition, members: Mapping[str, Any]) -> Mapping[str, Any]:
    names = definition.quirks
    judged = _JUDGED_MEMBERS | {names.access_token_member, names.token_type_member, names.expires_at_member}
    plain = (
        (name, value)
        for name, value in members.items()
        if name not in judged and not _SECRET_NAME.search(name) and _is_plain(name) and _is_plain(value)
    )
    return MappingProxyType(dict(islice(plain, _MOST_EXTRAS)))


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _EXTRA_TEXT_LIMIT and value.isprintable()
    return isinstance(value, bool | int | float) and abs(value) < 2**63


def _malformed(definition: ProviderDefinition, response: HttpResponse, description: str) -> ResponseMalformed:
    return ResponseMalformed(
        provider_id=definition.id, endpoint=ENDPOINT, status=response.status, description=description
    )

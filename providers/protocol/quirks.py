"""One function for each known deviation; all callers go through it, the standard case is the default."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from providers.definition import Quirks

Fields = tuple[tuple[str, str], ...]


def joined_scopes(quirks: Quirks, scopes: tuple[str, ...]) -> str:
    """The `scope` parameter."""
    return quirks.scope_separator.join(scopes)


def split_scopes(quirks: Quirks, value: str) -> tuple[str, ...]:
    """The scopes of a response; space always separates, whatever else the provider uses."""
    return tuple(dict.fromkeys(value.replace(quirks.scope_separator, " ").split()))


def with_extra_token_parameters(quirks: Quirks, fields: Fields) -> Fields:
    """The token request's fields and those that the provider wants besides."""
    return fields + tuple(quirks.token_request_extra_parameters.items())


def basic_credentials(quirks: Quirks, client_id: str, secret: str) -> str:
    """`id:secret` before base64: each part form-encoded first, as RFC 6749 section 2.3.1 asks."""
    if quirks.basic_auth_unencoded:
        return f"{client_id}:{secret}"
    return f"{quote_plus(client_id, safe='')}:{quote_plus(secret, safe='')}"


def client_id_beside_basic(quirks: Quirks, client_id: str) -> Fields:
    """The `client_id` field that some providers demand although Basic carries it already."""
    return (("client_id", client_id),) if quirks.client_id_also_in_body else ()


def form_encoded_members(quirks: Quirks, body: bytes) -> dict[str, Any] | None:
    """The members of a form-encoded body, for providers that answer so; None for a repeated or empty form."""
    if not quirks.token_response_form_encoded:
        return None
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=64)
    except (ValueError, UnicodeDecodeError):
        return None
    return dict(pairs) if pairs and len(dict(pairs)) == len(pairs) else None


def token_members(quirks: Quirks, members: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that holds the tokens; the whole answer when the path leads nowhere, as in an error."""
    found: Any = members
    for step in filter(None, quirks.token_response_path.split(".")):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else members


def access_token(quirks: Quirks, members: Mapping[str, Any]) -> object:
    """The access token as it came, under the provider's name for it."""
    return members.get(quirks.access_token_member)


def token_type_as_sent(quirks: Quirks, members: Mapping[str, Any]) -> object:
    """The token type as it came, under the provider's name for it."""
    return members.get(quirks.token_type_member)


def lifetime(quirks: Quirks, members: Mapping[str, Any], now: dt.datetime) -> object:
    """`expires_in` as it came; or the whole seconds until the provider's instant, None when that is not readable.

    Shape:  an instant is ISO 8601, UTC where it names no zone; of a day, it is the beginning.
    """
    if not quirks.expires_at_member:
        return members.get("expires_in")
    value = members.get(quirks.expires_at_member)
    try:
        # Python reads at most six digits of a second; some write seven.
        then = dt.datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", str(value)))
        aware = then if then.tzinfo else then.replace(tzinfo=dt.UTC)
        return int((aware - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def unauthorized_is_on_the_grant(quirks: Quirks, status: int, error: str | None) -> bool:
    """Whether an answer without an error code of OAuth's refuses what the customer gave."""
    return quirks.unauthorized_means_grant_rejected and status == 401 and error is None


def token_type(quirks: Quirks, value: object) -> str | None:
    """`Bearer` when that is what the provider means, else None: a type we cannot use (RFC 6749 7.1)."""
    if value is None and quirks.token_type_may_be_absent:
        return "Bearer"
    if not isinstance(value, str):
        return None
    lower = value.lower()
    return "Bearer" if lower == "bearer" else quirks.token_type_aliases.get(lower)


def error_code(quirks: Quirks, code: str) -> str:
    """The RFC's error code for the provider's."""
    return quirks.error_aliases.get(code, code)

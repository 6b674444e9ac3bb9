"""One function for each known deviation; all callers go through it, the standard case is the default."""

from __future__ import annotations

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

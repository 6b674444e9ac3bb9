"""What an endpoint that did not say yes has said: where a status and a body become an error of ours."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from providers.definition import ProviderDefinition
from providers.errors import (
    ClientRejected,
    GrantRejected,
    ProviderError,
    ProviderUnavailable,
    ResponseMalformed,
)
from providers.messages import HttpResponse
from providers.protocol import known_refusals, quirks
from providers.protocol.strict_json import text_at

MAXIMUM_RETRY_AFTER_SECONDS = 86400.0
GRANT_ERRORS = frozenset({"invalid_grant"})
UNAVAILABLE_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
# RFC 6749 sections 4.1.2.1 and 5.2, RFC 7009 section 2.2.1, RFC 8707 section 2.
CLIENT_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
        "unsupported_token_type",
        "invalid_scope",
        "invalid_target",
        "access_denied",
    }
)
KNOWN_ERRORS = GRANT_ERRORS | UNAVAILABLE_ERRORS | CLIENT_ERRORS
_THROTTLED = 429
_REQUEST_TIMEOUT = 408
_UNAVAILABLE = 503
# In seconds from now, or as an instant: whatever is later than thirty years is one.
_RESETS = ("x-ratelimit-reset", "x-rate-limit-reset")
_INSTANT = 1_000_000_000
# Between us and the provider's own server: it may have acted although its gateway gave up.
_GATEWAY_STATUSES = frozenset({502, 504})


def refusal(
    definition: ProviderDefinition, endpoint: str, response: HttpResponse, members: Mapping[str, Any] | None
) -> ProviderError:
    """The error that a response other than success stands for.

    Shape:  members is the body's JSON object, None when it holds none. A 2xx is judged by its `error` alone, and is
            never on the grant unless the catalogue lists it.
    Source: RFC 6749 section 5.2; RFC 9110 section 10.2.3.
    """
    facts = _facts(definition, endpoint, response, members)
    known = known_refusals.find(definition, response, members, at=known_refusals.TOKEN)
    if known is not None:
        return known_refusals.error_of_meaning(known.means, facts, wait=retry_after(response), known=known)
    status, error = response.status, facts["error"]
    if status >= 500 or status in (_THROTTLED, _REQUEST_TIMEOUT):
        return _unavailable(response, members, facts)
    if error in UNAVAILABLE_ERRORS:
        return ProviderUnavailable(retry_after=retry_after(response), processed=False, **facts)
    if _is_on_the_grant(definition, response, members, error):
        return GrantRejected(**facts)
    if error in GRANT_ERRORS or (status < 400 and error not in CLIENT_ERRORS):
        return ResponseMalformed(**facts)
    if status == 400 and members is None:
        # A page from something in between: it says nothing on us or on the grant.
        return ResponseMalformed(**facts)
    return ClientRejected(**facts)


def _is_on_the_grant(
    definition: ProviderDefinition, response: HttpResponse, members: Mapping[str, Any] | None, error: str | None
) -> bool:
    """Whether the customer's grant is refused: the one answer that ends in asking a person, so no other is read so."""
    if error in GRANT_ERRORS and members is not None:
        found = quirks.access_token(definition.quirks, quirks.token_members(definition.quirks, members))
        # A token beside the refusal says the opposite of it.
        return 400 <= response.status < 500 and not found
    a_page = response.body.lstrip()[:1] == b"<"
    return not a_page and quirks.unauthorized_is_on_the_grant(definition.quirks, response.status, error)


def error_of(definition: ProviderDefinition, members: Mapping[str, Any] | None) -> str | None:
    """The RFC's code in a body's `error`, after aliases; None when there is none."""
    code = members.get("error") if members else None
    return quirks.error_code(definition.quirks, code) if isinstance(code, str) and code else None


def retry_after(response: HttpResponse) -> float | None:
    """How long to wait in seconds, at most a day; None when the answer does not say or is not understood.

    Shape:  Retry-After; where that is missing from a 429, the provider's own reset header.
    """
    told = _retry_after(response)
    if told is not None or response.status != _THROTTLED:
        return told
    value = next((response.headers[name].strip() for name in _RESETS if name in response.headers), "")
    if not re.fullmatch(r"[0-9]{1,12}", value):
        return None
    seconds = float(value) - (time.time() if int(value) >= _INSTANT else 0)
    return min(max(seconds, 0.0), MAXIMUM_RETRY_AFTER_SECONDS)


def _retry_after(response: HttpResponse) -> float | None:
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        # Its digits may be thousands: a float takes them all, as infinity.
        return min(float(value), MAXIMUM_RETRY_AFTER_SECONDS)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MAXIMUM_RETRY_AFTER_SECONDS)


def _unavailable(
    response: HttpResponse, members: Mapping[str, Any] | None, facts: dict[str, Any]
) -> ProviderUnavailable:
    throttled = response.status in (_THROTTLED, _REQUEST_TIMEOUT)
    said_so = members is not None and "error" in members
    waits = response.status == _UNAVAILABLE and "retry-after" in response.headers
    not_processed = throttled or ((said_so or waits) and response.status not in _GATEWAY_STATUSES)
    return ProviderUnavailable(
        retry_after=retry_after(response),
        processed=False if not_processed else None,
        throttled=response.status == _THROTTLED,
        **facts,
    )


def _facts(
    definition: ProviderDefinition, endpoint: str, response: HttpResponse, members: Mapping[str, Any] | None
) -> dict[str, Any]:
    paths, description = definition.api_errors, ""
    if members:
        description = text_at(members, "error_description") or _vendor_description(definition, members)
    return {
        "provider_id": definition.id,
        "endpoint": endpoint,
        "status": response.status,
        "error": error_of(definition, members),
        "description": description,
        "error_id": (text_at(members, paths.id_path) or None) if members and paths.id_path else None,
    }


def _vendor_description(definition: ProviderDefinition, members: Mapping[str, Any]) -> str:
    paths = (definition.api_errors.code_path, definition.api_errors.description_path)
    return " ".join(filter(None, (text_at(members, path) for path in paths if path)))

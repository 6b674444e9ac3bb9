"""What an answer of a provider's API means, as far as its definition knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from providers.definition import KnownRefusal, ProviderDefinition
from providers.errors import (
    ProviderError,
    ResponseMalformed,
    RightMissing,
    one_line,
    redact,
    safe_code,
    safe_identifier,
)
from providers.messages import ApiReading, HttpResponse, Meaning
from providers.protocol import known_refusals
from providers.protocol.refusals import MAXIMUM_RETRY_AFTER_SECONDS, retry_after
from providers.protocol.strict_json import parse_object, text_at

_RATE_LIMIT_HEADER = re.compile(r"x-rate-?limit-[a-z-]{1,40}")
_RATE_LIMIT_HEADERS = 12
_SECONDS_IN_TEXT = re.compile(r"\b([0-9]{1,5})(?:\.[0-9]+)?\s*(?:s|sec|secs|seconds?)\b", re.IGNORECASE)
# RFC 6750 section 3.1.
_INSUFFICIENT_SCOPE = re.compile(r"""\berror\s*=\s*"?insufficient_scope\b""", re.IGNORECASE)


def read_answer(definition: ProviderDefinition, response: HttpResponse) -> ApiReading:
    """What the answer means; any bytes are an answer, and none raises.

    Shape:  a 403 that says no more is "content": callers ask for much that a user may not see.
    """
    return _read(definition, response)[0]


def error_for(definition: ProviderDefinition, endpoint: str, response: HttpResponse) -> ProviderError | None:
    """The error that an answer to a call of our own stands for; None for a success."""
    reading, known = _read(definition, response)
    if reading.meaning == "ok":
        return None
    facts: dict[str, Any] = {
        "provider_id": definition.id,
        "endpoint": endpoint,
        "status": response.status,
        "error": reading.error,
        "description": reading.description,
        "error_id": reading.error_id,
    }
    if known is None and response.status == 403 and reading.meaning == "content":
        # Our calls are chosen so that every user with the right rights may make them.
        return RightMissing(**facts)
    if known is None and response.status < 400:
        return ResponseMalformed(**facts)
    return known_refusals.error_of_meaning(reading.meaning, facts, wait=reading.retry_after, known=known)


def rate_limit_headers(response: HttpResponse) -> dict[str, str]:
    """The provider's own rate-limit headers, names in lower case."""
    found = sorted(name for name in response.headers if _RATE_LIMIT_HEADER.fullmatch(name))
    return {name: one_line(response.headers[name], 100) for name in found[:_RATE_LIMIT_HEADERS]}


def _read(definition: ProviderDefinition, response: HttpResponse) -> tuple[ApiReading, KnownRefusal | None]:
    members = parse_object(response.body)
    known = known_refusals.find(definition, response, members)
    limit = rate_limit_headers(response)
    if known is None and _is_success(definition, response):
        return ApiReading(meaning="ok", rate_limit=limit), None
    meaning: Meaning = known.means if known else _meaning(response)
    description = _description(definition, response, members)
    reading = ApiReading(
        meaning=meaning,
        error=safe_code(_code(definition, members)),
        description=redact(description),
        error_id=safe_identifier(_at(members, definition.api_errors.id_path)),
        explanation=known.text if known else "",
        retry_after=_wait(response, meaning, description),
        rate_limit=limit,
    )
    return reading, known


def _is_success(definition: ProviderDefinition, response: HttpResponse) -> bool:
    account = definition.external_account
    begins = account.body_ok if account else ()
    good = not begins or known_refusals.body_text(response).lstrip().startswith(begins)
    return 200 <= response.status < 300 and good


def _meaning(response: HttpResponse) -> Meaning:
    status = response.status
    if status in (401, 403) and _INSUFFICIENT_SCOPE.search(response.headers.get("www-authenticate", "")):
        return "scope_missing"
    simple: dict[int, Literal["credential_refused", "throttled", "unavailable"]] = {
        401: "credential_refused",
        408: "unavailable",
        429: "throttled",
    }
    return simple.get(status, "unavailable" if status >= 500 else "content")


def _code(definition: ProviderDefinition, members: Mapping[str, Any] | None) -> str:
    return _at(members, definition.api_errors.code_path) or _at(members, "error")


def _description(definition: ProviderDefinition, response: HttpResponse, members: Mapping[str, Any] | None) -> str:
    if members is not None:
        return _at(members, definition.api_errors.description_path) or _at(members, "error_description")
    text = known_refusals.body_text(response).strip()
    # A page is for browsers; a line of text may be all that the provider says.
    return "" if text.startswith(("<", "[", "{")) else text


def _at(members: Mapping[str, Any] | None, path: str) -> str:
    return text_at(members, path) if path else ""


def _wait(response: HttpResponse, meaning: Meaning, description: str) -> float | None:
    told = retry_after(response)
    if told is not None or meaning != "throttled":
        return told
    found = _SECONDS_IN_TEXT.search(description)
    return min(float(found[1]), MAXIMUM_RETRY_AFTER_SECONDS) if found else None

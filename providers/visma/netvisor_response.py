"""Netvisor's answers: always XML, the verdict in `Root/ResponseStatus/Status`, whatever the HTTP status.

On failure a second `Status` holds `CODE :: text`; the text is in the language of the request, the code is not.
Source, read 2026-11-21: support.netvisor.fi article 77000500440.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from providers.errors import (
    ClientRejected,
    GrantRejected,
    ProviderError,
    ProviderUnavailable,
    ResponseMalformed,
    RightMissing,
    redact,
    safe_code,
)
from providers.messages import ApiReading, HttpResponse, Meaning
from providers.protocol.refusals import retry_after
from providers.protocol.strict_xml import texts_of_children

ENDPOINT = "api"
OK = "ok"
# Seen in a client of the API, as it spells it.
_MISSPELT = {"system_maintanance": "system_maintenance"}
_CODE = re.compile(r"([A-Za-z]{2,14}(?:_[A-Za-z]{1,14}){0,5})\s*(?:::\s*(.*))?", re.DOTALL)
# The customer's keys or rights, and not one of ours.
_KEYS, _RIGHTS = frozenset({"authentication_failed"}), frozenset({"service_access_error"})
# It says that it did nothing; the same request, signed anew, is worth another try.
_NOTHING_DONE = frozenset({"request_not_unique", "system_maintenance"})
_UNKNOWN_OUTCOME = frozenset({"technical_error"})
# What was sent does not please: the turn of the program that sent it.
_CONTENT = frozenset({"invalid_data", "invalid_data_size", "duplicate_data", "period_lock"})
_MEANINGS: Mapping[str, Meaning] = {
    **dict.fromkeys(_KEYS, "credential_refused"),
    **dict.fromkeys(_RIGHTS, "right_missing"),
    **dict.fromkeys(_NOTHING_DONE | _UNKNOWN_OUTCOME, "unavailable"),
}
# Header names stay as they are in every language; a text that names one names the value.
_FIELD_OF_HEADER = {
    "customerid": "customer_id",
    "organisation-id": "organisation_id",
    "partnerid": "client_id",
    "sender": "parameters.sender",
    "language": "parameters.language",
}
_OF_THE_CUSTOMER = frozenset({"customer_id", "customer_key", "organisation_id"})
_HEADER = re.compile(r"X-Netvisor-(?:Authentication-|Interface-)?([A-Za-z-]+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Status:
    """What an answer says of itself: `ok`, or the code in lower case with its text for people."""

    code: str
    text: str = ""


def read_status(body: bytes) -> Status | None:
    """The status in a body, or None when it is no answer of Netvisor's."""
    children = texts_of_children(body, "ResponseStatus") or []
    texts = [text for name, text in children if name == "Status"]
    if texts[:1] == ["OK"]:
        return Status(code=OK)
    found = _CODE.fullmatch(texts[1]) if texts[:1] == ["FAILED"] and len(texts) > 1 else None
    if found is None:
        return None
    code = found[1].lower()
    return Status(code=_MISSPELT.get(code, code), text=found[2] or "")


def judge(response: HttpResponse, *, provider_id: str) -> None:
    """Nothing for OK.

    Raises: GrantRejected for AUTHENTICATION_FAILED (to be confirmed: a clock that is wrong or a partner key that
            was changed looks the same), ClientRejected when it names values of our registration alone, or when
            content is refused, RightMissing for SERVICE_ACCESS_ERROR, ProviderUnavailable, ResponseMalformed.
    """
    status = read_status(response.body)
    if status is None:
        raise _without_status(response, provider_id)
    if status.code != OK:
        raise _error(status, response, provider_id)


def reading(response: HttpResponse) -> ApiReading | None:
    """What an answer means, None when it says nothing in Netvisor's form."""
    status = read_status(response.body)
    if status is None:
        return None
    if status.code == OK:
        return ApiReading(meaning="ok")
    meaning = _MEANINGS.get(status.code, "content")
    return ApiReading(
        meaning="client_rejected" if meaning == "credential_refused" and _of_ours_alone(status) else meaning,
        error=safe_code(status.code),
        description=redact(status.text),
        retry_after=_wait(status, response),
    )


def likely_wrong(body: bytes) -> tuple[str, ...]:
    """The fields that a refusal names, as far as it does; empty when it does not say."""
    status = read_status(body)
    return _named(status) if status else ()


def _of_ours_alone(status: Status) -> bool:
    """Whether a refusal names values of our registration and none of the customer's: then it is not their turn."""
    named = _named(status)
    return bool(named) and not any(name in _OF_THE_CUSTOMER for name in named)


def _named(status: Status) -> tuple[str, ...]:
    found = (name.lower() for name in _HEADER.findall(status.text))
    return tuple(dict.fromkeys(_FIELD_OF_HEADER[name] for name in found if name in _FIELD_OF_HEADER))


def _error(status: Status, response: HttpResponse, provider_id: str) -> ProviderError:
    code = status.code
    if code in _NOTHING_DONE or code in _UNKNOWN_OUTCOME:
        return ProviderUnavailable(
            retry_after=_wait(status, response),
            processed=False if code in _NOTHING_DONE else None,
            provider_id=provider_id,
            endpoint=ENDPOINT,
            status=response.status,
            error=code,
            description=status.text,
        )
    kinds: dict[frozenset[str], type[ProviderError]] = {
        _KEYS: GrantRejected,
        _RIGHTS: RightMissing,
        _CONTENT: ClientRejected,
    }
    kind = next((kind for codes, kind in kinds.items() if code in codes), ResponseMalformed)
    if kind is GrantRejected and _of_ours_alone(status):
        kind = ClientRejected
    return kind(provider_id=provider_id, endpoint=ENDPOINT, status=response.status, error=code, description=status.text)


def _wait(status: Status, response: HttpResponse) -> float | None:
    # Another transaction id is all that a repeated one needs.
    return 0.0 if status.code == "request_not_unique" else retry_after(response)


def _without_status(response: HttpResponse, provider_id: str) -> ProviderError:
    if response.status >= 500 or response.status == 429:
        return ProviderUnavailable(
            retry_after=retry_after(response),
            processed=False if response.status == 429 else None,
            throttled=response.status == 429,
            provider_id=provider_id,
            endpoint=ENDPOINT,
            status=response.status,
        )
    return ResponseMalformed(
        provider_id=provider_id, endpoint=ENDPOINT, status=response.status, description="no status in the answer"
    )

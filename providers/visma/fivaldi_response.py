"""Fivaldi's answers: JSON, the verdict in the HTTP status; rate limits in headers.

Sources, read 2026-11-21: the error shapes of the vendor's OpenAPI file (API version 2.12.0); none is given for
401 and 403.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.errors import (
    ClientRejected,
    ProviderError,
    ProviderUnavailable,
    ResponseMalformed,
    RightMissing,
    one_line,
    redact,
)
from providers.messages import (
    ApiReading,
    EnteredCredential,
    ExternalAccount,
    HttpResponse,
    Meaning,
    Secret,
    VerifiedCredential,
)
from providers.protocol.refusals import retry_after
from providers.protocol.strict_json import parse_object, parse_objects, text_at

ENDPOINT = "api"
RATE_LIMIT_HEADERS = ("x-ratelimit-replenish-rate", "x-ratelimit-burst-capacity", "x-ratelimit-remaining")
_NAME_LIMIT = 200


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """A token bucket: `remaining` requests now, `replenish_rate` more each second, never over `burst_capacity`."""

    replenish_rate: int
    burst_capacity: int
    remaining: int


def read_rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """What an answer says of the rate limit, None when it does not say all three."""
    values = [headers.get(name, "") for name in RATE_LIMIT_HEADERS]
    if not all(value.isascii() and value.isdigit() and len(value) < 10 for value in values):
        return None
    rate, burst, remaining = map(int, values)
    return RateLimit(replenish_rate=rate, burst_capacity=burst, remaining=remaining)


def judge(response: HttpResponse, *, provider_id: str) -> None:
    """Nothing for 2xx.

    Raises: ClientRejected for 401 (the partner's own secret, or its clock) and for content that is refused,
            RightMissing for 403 (the company has not let the partner in), ProviderUnavailable, ResponseMalformed.
    """
    status = response.status
    if 200 <= status < 300:
        return
    description = text_at(parse_object(response.body) or {}, "message")
    if status >= 500 or status == 429:
        raise ProviderUnavailable(
            retry_after=_wait(response),
            processed=False if status == 429 else None,
            throttled=status == 429,
            provider_id=provider_id,
            endpoint=ENDPOINT,
            status=status,
            description=description,
        )
    kind: type[ProviderError] = RightMissing if status == 403 else ClientRejected
    if not 400 <= status < 500:
        kind = ResponseMalformed
    raise kind(provider_id=provider_id, endpoint=ENDPOINT, status=status, description=description)


def reading(response: HttpResponse, generic: ApiReading) -> ApiReading:
    """What an answer means: the generic reading, but for 401 and 403, and with the wait of the token bucket.

    Shape:  401 is on the partner's own secret or clock, 403 on the company, which has not let the partner in.
    """
    if generic.meaning == "ok":
        return generic
    meanings: dict[int, Meaning] = {401: "client_rejected", 403: "right_missing"}
    return replace(
        generic,
        meaning=meanings.get(response.status, generic.meaning),
        description=generic.description or redact(text_at(parse_object(response.body) or {}, "message")),
        retry_after=_wait(response) if generic.meaning == "throttled" else generic.retry_after,
    )


def verified(response: HttpResponse, *, company: str, issuer: str, provider_id: str) -> VerifiedCredential:
    """The one company of the answer that was meant, by cuid or business id.

    Raises: as `judge`; RightMissing when it is not among those the partner may open.
    """
    judge(response, provider_id=provider_id)
    found = parse_objects(response.body)
    if found is None:
        raise ResponseMalformed(
            provider_id=provider_id, endpoint=ENDPOINT, status=response.status, description="no list of companies"
        )
    meant = [each for each in found if company in (text_at(each, "cuid"), text_at(each, "businessId"))]
    cuids = {text_at(each, "cuid") for each in meant} - {""}
    if len(cuids) != 1:
        # Of several with one business id, only the cuid says which.
        error = "company_not_found" if not cuids else "company_ambiguous"
        raise RightMissing(provider_id=provider_id, endpoint=ENDPOINT, status=response.status, error=error)
    return _verified(meant[0], cuids.pop(), issuer)


def _verified(company: Mapping[str, Any], cuid: str, issuer: str) -> VerifiedCredential:
    name = one_line(" ".join(filter(None, (text_at(company, "name1"), text_at(company, "name2")))), _NAME_LIMIT)
    return VerifiedCredential(
        credential=EnteredCredential(fields={"cuid": Secret(cuid)}),
        account=ExternalAccount(issuer=issuer, subject=cuid, name=name),
    )


def _wait(response: HttpResponse) -> float | None:
    told = retry_after(response)
    limit = read_rate_limit(response.headers)
    if told is None and response.status == 429 and limit and limit.replenish_rate:
        return 1 / limit.replenish_rate
    return told

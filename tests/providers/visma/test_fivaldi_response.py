from __future__ import annotations

import pytest

from providers.errors import ClientRejected, ProviderError, ProviderUnavailable, ResponseMalformed, RightMissing
from providers.messages import HttpResponse
from providers.visma.fivaldi_response import RateLimit, judge, read_rate_limit, verified

LIMITS = {"x-ratelimit-replenish-rate": "2", "x-ratelimit-burst-capacity": "10", "x-ratelimit-remaining": "0"}


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_nothing(status):
    judge(HttpResponse(status=status), provider_id="fivaldi")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ClientRejected),
        (401, ClientRejected),
        (403, RightMissing),
        (404, ClientRejected),
        (409, ClientRejected),
        (429, ProviderUnavailable),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
        (302, ResponseMalformed),
    ],
)
def test_whose_turn_it_is(status, expected):
    with pytest.raises(ProviderError) as caught:
        judge(HttpResponse(status=status, body=b'{"status": 1, "message": "no"}'), provider_id="fivaldi")
    assert type(caught.value) is expected
    assert caught.value.description == "no"


def test_too_many_requests_say_how_long_to_wait():
    with pytest.raises(ProviderUnavailable) as caught:
        judge(HttpResponse(status=429, headers=LIMITS), provider_id="fivaldi")
    assert (caught.value.retry_after, caught.value.throttled, caught.value.uncertain) == (0.5, True, False)
    with pytest.raises(ProviderUnavailable) as caught:
        judge(HttpResponse(status=429, headers={**LIMITS, "retry-after": "7"}), provider_id="fivaldi")
    assert caught.value.retry_after == 7


def test_the_rate_limit_is_read_when_it_is_whole():
    assert read_rate_limit(LIMITS) == RateLimit(replenish_rate=2, burst_capacity=10, remaining=0)
    for name in LIMITS:
        for value in ("", "-1", "x", "9" * 40):
            assert read_rate_limit({**LIMITS, name: value}) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"<html>", b'[{"cuid": "a"'])
def test_an_answer_without_companies_is_malformed(body):
    with pytest.raises(ResponseMalformed):
        verified(HttpResponse(status=200, body=body), company="x", issuer="i", provider_id="fivaldi")

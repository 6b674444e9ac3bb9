from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest

from providers.messages import HttpResponse
from providers.protocol.refusals import retry_after


def waits(value: str) -> float | None:
    return retry_after(HttpResponse(status=503, headers={"retry-after": value}))


class TestRetryAfter:
    @pytest.mark.parametrize(("value", "seconds"), [("0", 0), (" 12 ", 12), ("86401", 86400), ("9" * 500, 86400)])
    def test_in_seconds_is_capped_at_a_day(self, value, seconds):
        assert waits(value) == seconds

    def test_as_a_date_is_the_time_until_then(self):
        then = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
        assert 85 < waits(format_datetime(then, usegmt=True)) <= 90

    def test_as_a_date_that_is_over_is_now_and_one_far_off_is_a_day(self):
        assert waits("Wed, 21 Oct 2015 07:28:00 GMT") == 0
        assert waits("Fri, 31 Dec 9999 23:59:59 GMT") == 86400

    @pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "²", "Wed, 99 Oct 2015 07:28:00 GMT", "٣"])
    def test_that_makes_no_sense_is_none(self, value):
        assert waits(value) is None

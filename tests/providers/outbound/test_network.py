from __future__ import annotations

import time

import pytest

from providers.outbound.network import Attempt, DeadlinePassed


class TestAttempt:
    def test_has_the_time_that_is_left_and_no_more_than_the_limit(self):
        attempt = Attempt(deadline=time.monotonic() + 10, connect_timeout=5)
        assert 9 < attempt.remaining() <= 10
        assert attempt.remaining(3) == 3
        assert 9 < attempt.remaining(30) <= 10

    def test_is_over_at_its_deadline(self):
        with pytest.raises(DeadlinePassed):
            Attempt(deadline=time.monotonic(), connect_timeout=5).remaining()

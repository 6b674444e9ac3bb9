from __future__ import annotations

import pytest

from providers.protocol.business_id import check_digit_is_right, looks_like_business_id, normalised


@pytest.mark.parametrize(
    ("written", "one_form"),
    [
        ("0112038-9", "0112038-9"),
        ("01120389", "0112038-9"),
        ("112038-9", "0112038-9"),
        ("FI01120389", "0112038-9"),
        ("fi0112038-9", "0112038-9"),
        ("12345-6", None),
        ("01120389-1", None),
        ("0112038--9", None),
        ("SE0112038-9", None),
        ("٠١١٢٠٣٨-9", None),
        ("", None),
    ],
)
def test_it_has_one_form(written, one_form):
    assert normalised(written) == one_form
    assert looks_like_business_id(written) is (one_form is not None)


@pytest.mark.parametrize("good", ["0112038-9", "0201256-6", "1572860-0", "0737546-2"])
def test_the_check_digit_finds_every_single_mistyped_digit(good):
    assert check_digit_is_right(good)
    for place in (0, 1, 2, 3, 4, 5, 6, 8):
        for digit in "0123456789":
            if digit != good[place]:
                assert not check_digit_is_right(good[:place] + digit + good[place + 1 :])


def test_a_remainder_of_one_belongs_to_no_id():
    # 6 * 9 + 1 * 2 = 56, and 56 modulo 11 is 1.
    assert not any(check_digit_is_right(f"0600001-{digit}") for digit in range(10))

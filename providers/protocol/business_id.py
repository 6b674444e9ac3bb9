"""Finnish business ids (Y-tunnus): seven digits, a hyphen, a check digit."""

from __future__ import annotations

import re

# Source: Finnish Patent and Registration Office, "Business ID": weights and modulus of the check digit.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2)
# Older ids have six digits and mean the same with a zero in front; "FI" and no hyphen is the VAT number.
_WRITTEN = re.compile(r"(?:FI)?([0-9]{6,7})-?([0-9])", re.IGNORECASE)


def looks_like_business_id(text: str) -> bool:
    """Whether somebody who wrote this meant a business id, right or wrong."""
    return _WRITTEN.fullmatch(text) is not None


def normalised(text: str) -> str | None:
    """The id in its one form, or None when it has not the form of one; the check digit is not looked at."""
    written = _WRITTEN.fullmatch(text)
    return f"{written[1]:0>7}-{written[2]}" if written else None


def check_digit_is_right(business_id: str) -> bool:
    """Whether the check digit of a normalised id fits the digits before it."""
    digits, _, check = business_id.partition("-")
    remainder = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True)) % 11
    # A remainder of 1 belongs to no id that was ever given out.
    return remainder != 1 and int(check) == (0 if remainder == 0 else 11 - remainder)

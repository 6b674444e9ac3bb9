"""Statuses and headers of malformed token replies: rare statuses, waits of every spelling, lying content types."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

_USUAL = (*(200,) * 8, 201, *(400,) * 5, 401, 403, 429, 500, 502, 503, 504)
_RARE = (100, 101, 102, 103, 202, 203, 204, 205, 206, 207, 226, 300, 301, 302, 303, 304, 307, 308, 404, 405, 408, 418)
_RARER = (421, 425, 431, 451, 499, 501, 505, 507, 511, 520, 522, 524, 530, 598, 599, 600, 999)
_WAITS = (
    *("0", "1", " 7 ", "+5", "-1", "1.5", "1e9", "9" * 4000, "86401", "inf", "nan", "", " ", "\x00", "٣", "²", "soon"),
    *("Wed, 21 Oct 2099 07:28:00 GMT", "Wed, 21 Oct 1999 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"),
    *("Mon, 01 Jan 0001 00:00:00 +2359", "Wed, 99 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 99:99:99 GMT", "120, 60"),
)
_TYPES = (
    *("application/json", "application/json; charset=utf-16", "application/json;charset=latin-1", "text/html"),
    *("text/plain; charset=x-nonsense", "application/x-www-form-urlencoded", "multipart/form-data", "", "\xff/\xfe"),
    *("application/json; charset=" + "a" * 5000, "image/png", "application/problem+json"),
)
_MANY = 3000


def status(random: Random) -> int:
    """A status: mostly what token endpoints send, now and then anything that HTTP can carry."""
    chance = random.random()
    if chance < 0.75:
        return random.choice(_USUAL)
    return random.choice(_RARE + _RARER) if chance < 0.95 else random.randrange(100, 1000)


def headers(random: Random, secret: str) -> Mapping[str, str]:
    """Headers, names in lower case as the door gives them."""
    found = {"content-type": random.choice(_TYPES)}
    if random.random() < 0.4:
        found["retry-after"] = random.choice(_WAITS)
    if random.random() < 0.2:
        found[random.choice(("x-ratelimit-reset", "x-rate-limit-reset"))] = random.choice((*_WAITS, "1763712000", "60"))
    if random.random() < 0.1:
        found["www-authenticate"] = f'Bearer error="invalid_grant", error_description="{secret}"'
    if random.random() < 0.01:
        found |= {f"x-{number}": secret for number in range(_MANY)}
    return found

"""Where callers may come from: what may be written down, and what it then means."""

import pytest

from broker.errors import InvalidRequest
from broker.services import networks


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_networks_are_stored_in_one_form(given, stored):
    assert networks.canonical([given, given]) == [stored]
    assert len(stored) <= 43


@pytest.mark.parametrize(
    "given", ["", "10.0.0.0/33", "10.0.0.1/8", "everywhere", "10.0.0.0/8,", "fe80::1%eth0/64", "1"]
)
def test_what_is_none_is_refused_by_name(given):
    with pytest.raises(InvalidRequest, match="is not a network like"):
        networks.canonical([given])


def test_the_network_that_was_meant_is_named():
    with pytest.raises(InvalidRequest, match=r"was 10\.0\.0\.0/8 meant"):
        networks.canonical(["10.1.2.3/8"])
    with pytest.raises(InvalidRequest, match="at most 50"):
        networks.canonical([f"10.0.{n}.0/24" for n in range(51)])


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::7", True),
        ("2001:db8::7%eth0", True),
        ("11.1.2.3", False),
        ("::ffff:11.1.2.3", False),
        ("2001:db9::7", False),
        ("", False),
        ("unix:", False),
        ("10.1.2.3, 10.1.2.4", False),
    ],
)
def test_an_address_is_inside_or_not(source, inside):
    assert networks.contains(("10.0.0.0/8", "2001:db8::/32"), source) is inside

from __future__ import annotations

import ipaddress

import pytest

from providers.outbound.addresses import is_loopback, is_public

PRIVATE = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.0.1 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::ffff:127.0.0.1 ::ffff:a9fe:a9fe ::ffff:10.0.0.1 ::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::7f00:1
64:ff9b:1::1
100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1
fec0::1 ff02::1
""".split()  # noqa: SIM905
PUBLIC = """
1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 172.32.0.1 198.20.0.1 2606:4700::1111 2a00:1450::200e
::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1
""".split()  # noqa: SIM905


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address(address):
    assert is_public(ipaddress.ip_address(address))


def test_loopback_is_known_in_every_form():
    assert all(is_loopback(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1", "::ffff:127.0.0.1"))
    assert not is_loopback(ipaddress.ip_address("10.0.0.1"))

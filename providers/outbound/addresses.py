"""Which addresses the outbound door may connect to. Imports nothing of this room."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressRange = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Reserved ranges that some Python versions still count as global.
_RESERVED = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16", "fec0::/10")
)


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, whatever it is wrapped in.

    Source: IANA special-purpose address registries; RFC 6598 (CGNAT), RFC 6052 (NAT64), RFC 3056 (6to4).
    """
    inner = _unwrapped(address)
    if inner is not None:
        return is_public(inner)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _RESERVED if network.version == address.version)
    )


def is_inside(address: Address, ranges: Iterable[AddressRange]) -> bool:
    """Whether the address belongs to one of these ranges, whatever it is wrapped in."""
    inner = _unwrapped(address)
    if inner is not None:
        return is_inside(inner, ranges)
    # Where machines of a cloud are told their own credentials, however wide a range somebody has opened.
    return not address.is_link_local and any(address in each for each in ranges if each.version == address.version)


def is_loopback(address: Address) -> bool:
    """Whether the address is this machine's loopback, the IPv4-mapped form included."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _unwrapped(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 address carries to its destination, if it carries one."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    # Teredo is left out: 2001::/32 is not global, so it is refused without a look inside.
    return address.ipv4_mapped or address.sixtofour

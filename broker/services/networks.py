"""Source networks of a caller: what operators may write down, and whether an address lies inside."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from broker.errors import InvalidRequest

_MAPPED_BITS = 96
_MOST = 50


def canonical(texts: Iterable[str]) -> list[str]:
    """Return the networks (RFC 4632, RFC 4291) in their shortest form, each once. Raises InvalidRequest, naming one."""
    found = list(dict.fromkeys(_canonical(text.strip()) for text in texts))
    if len(found) > _MOST:
        raise InvalidRequest(f"at most {_MOST} networks")
    return found


def _canonical(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise InvalidRequest(f"{text[:50]!r} is not a network like 10.1.0.0/16 or 2001:db8::/32{_hint(text)}") from None
    # What an IPv6 socket calls an IPv4 peer: it is compared as IPv4.
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return str(ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS)))
    return str(network)


def _hint(text: str) -> str:
    try:
        return f"; was {ipaddress.ip_network(text, strict=False)} meant?"
    except ValueError:
        return ""


@lru_cache(maxsize=4096)
def contains(networks: tuple[str, ...], source: str) -> bool:
    """Tell whether an address lies in one of the networks. One that is not known lies in none."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return False
    seen = getattr(address, "ipv4_mapped", None) or address
    return any(seen in ipaddress.ip_network(network) for network in networks)

"""Arithmetic with prefixes as text, forgiving what is no prefix."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


@lru_cache(maxsize=65536)
def network(text: str) -> Network | None:
    """`10.244.1.1/24` to the network it lies in; None when the text is no prefix."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def address(text: str) -> Address | None:
    """An address without length; None when the text is none."""
    try:
        return ip_address(text.strip())
    except ValueError:
        return None


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Those of the texts that are prefixes."""
    return tuple(found for text in texts if (found := network(text)) is not None)


def merged(prefixes: Iterable[Network]) -> tuple[str, ...]:
    """As text, without those inside others and with halves joined; IPv4 first."""
    kept = set(prefixes)
    four = collapse_addresses(prefix for prefix in kept if isinstance(prefix, IPv4Network))
    six = collapse_addresses(prefix for prefix in kept if isinstance(prefix, IPv6Network))
    return (*map(str, four), *map(str, six))


def inside(inner: str, outers: Iterable[str]) -> bool:
    """Whether a prefix or address lies in one of the others."""
    prefix = network(inner)
    return prefix is not None and any(
        prefix.version == outer.version and prefix.subnet_of(outer)  # type: ignore[arg-type]  # one version
        for outer in networks(outers)
    )


def cover(addresses: Iterable[Address], *, first: Address | None = None) -> Network | None:
    """The smallest prefix that holds all addresses of one version, and `first` as its lowest where it is given."""
    numbers = [int(found) for found in addresses]
    if not numbers:
        return None
    bits = 32 if max(numbers) < 1 << 32 else 128
    low = int(first) if first is not None else min(numbers)
    length = bits - (low ^ max(numbers)).bit_length()
    base = low >> (bits - length) << (bits - length)
    return IPv4Network((base, length)) if bits == 32 else IPv6Network((base, length))

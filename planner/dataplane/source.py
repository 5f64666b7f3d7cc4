"""Which own address a node gives to what leaves by a link."""

from planner.dataplane.packet import number
from planner.dataplane.view import View
from planner.models.link import Address, Link

LABELS = (
    (1, 128, 0), (0, 96, 3), (0xFFFF00000000, 96, 4), (0x2001 << 112, 32, 5), (0x20010010 << 96, 28, 6),
    (0x2002 << 112, 16, 2), (0xFC << 120, 7, 5),
)  # fmt: skip
"""Prefix, length, label (net/ipv6/addrlabel.c, ip6addrlbl_init_table); every other address has label 1."""


def select_address4(view: View, link: str, near: int) -> int | None:
    """The primary address whose prefix holds the next hop, else the link's first, else some other link's.

    net/ipv4/devinet.c, inet_select_addr with RT_SCOPE_UNIVERSE: the preferred source of the route does not count.
    """
    first: int | None = None
    found = view.links.get(link)
    for address in _primaries(found):
        shift = 32 - address.length
        # The prefix is that of the peer's address on point-to-point links (inet_ifa_match, ifa_address).
        if number(address.peer or address.address) >> shift == near >> shift:
            return number(address.address)
        if first is None:
            first = number(address.address)
    if first is not None:
        return first
    others = sorted(view.links.values(), key=lambda other: (other.name != "lo", other.index))
    return next((number(address.address) for other in others for address in _primaries(other)), None)


def _primaries(link: Link | None) -> tuple[Address, ...]:
    return tuple(
        address
        for address in (link.addresses if link else ())
        if address.family == "ip" and not address.secondary and address.scope == "global"
    )


def select_address6(view: View, link: str, destination: int) -> int | None:
    """The best by RFC 6724, as net/ipv6/addrconf.c, ipv6_get_saddr_eval ranks them."""
    best: tuple[tuple[int, ...], int] | None = None
    narrow = scope_of(destination) <= LINK
    for other in view.links.values():
        if not other.up or (narrow and other.name != link):
            continue
        for address in other.addresses:
            if address.family != "ip6":
                continue
            value = number(address.address)
            rank = rank6(value, address, destination, outgoing=other.name == link)
            if best is None or rank > best[0]:
                best = rank, value
    return best[1] if best else None


LINK, SITE, GLOBAL = 2, 5, 14


def scope_of(address: int) -> int:
    """How far an address is good for, as multicast scopes count it."""
    if address >> 120 == 0xFF:
        return address >> 112 & 0xF
    if address == 1 or address >> 118 == 0x3FA:
        return LINK
    return SITE if address >> 118 == 0x3FB else GLOBAL


def rank6(value: int, address: Address, destination: int, *, outgoing: bool) -> tuple[int, ...]:
    """How well it suits: the first difference decides."""
    scope, wanted = scope_of(value), scope_of(destination)
    fits = -scope if scope >= wanted else scope - 1000
    common = 128 - (value ^ destination).bit_length()
    return (
        value == destination,
        fits,
        not address.deprecated,
        outgoing,
        _label(value) == _label(destination),
        min(common, address.length),
    )


def _label(address: int) -> int:
    matching = [
        (length, label)
        for prefix, length, label in LABELS
        if address >> 128 - length == prefix >> 128 - length
    ]
    return max(matching)[1] if matching else 1

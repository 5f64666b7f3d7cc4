"""The canonical form of what iproute2 prints in several ways: tables, protocols, scopes, types, prefixes.

A table is its number as text. A protocol, a scope and a route type are the names that iproute2 is built with (they do
not depend on the host's files), any other value is its number as text. A prefix is always address and length.
"""

import ipaddress
from collections.abc import Mapping

# include/uapi/linux/rtnetlink.h (rt_class_t) and /usr/share/iproute2/rt_tables agree on these.
TABLES = {"unspec": "0", "default": "253", "main": "254", "local": "255"}

# The names that iproute2 is built with (lib/rt_names.c) for RTPROT_* of include/uapi/linux/rtnetlink.h.
PROTOCOLS = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
# RTN_* of include/uapi/linux/rtnetlink.h.
TYPES = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
    10: "nat",
    11: "xresolve",
}
TYPE_NAMES = frozenset(TYPES.values())
# FR_ACT_* of include/uapi/linux/fib_rules.h; 1 is a plain lookup.
ACTIONS = {0: "unspec", 1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
IP_PROTOCOLS = {
    1: "icmp",
    6: "tcp",
    17: "udp",
    33: "dccp",
    47: "gre",
    50: "esp",
    51: "ah",
    58: "ipv6-icmp",
    132: "sctp",
    136: "udplite",
}
DISCARDING = frozenset({"blackhole", "unreachable", "prohibit", "throw"})
"""Route types that have no next hop: a device printed with them (`dev lo` in IPv6) says nothing."""
IPV6_ROUTE_METRIC = 1024
"""What the kernel takes when an IPv6 route is added without a metric (IP6_RT_PRIO_USER, net/ipv6/route.c)."""


class NotUnderstoodError(ValueError):
    """Words of `ip` that this reader does not know; the message says which."""


def number_of(text: str) -> int | None:
    """A number as iproute2 reads one, decimal or `0x` hexadecimal; None when it is none."""
    try:
        return int(text, 0) if text[:1].isdigit() and text.isascii() else None
    except ValueError:
        return int(text) if text.isdecimal() else None


def _named(text: str, names: Mapping[int, str]) -> str:
    number = number_of(text)
    return text if number is None else names.get(number, str(number))


def table_number(text: str, names: Mapping[str, str] | None = None) -> str:
    """Number of a table; a name that neither the kernel's headers nor `names` know stays a name."""
    number = number_of(text)
    if number is not None:
        return str(number)
    known = TABLES.get(text)
    return known if known is not None else (names or {}).get(text, text)


def protocol_name(text: str) -> str:
    """Who installed a route or a rule."""
    return {"none": "unspec", "openr": "99"}.get(text) or _named(text, PROTOCOLS)


def scope_name(text: str) -> str:
    """Scope of a route or an address."""
    return _named(text, SCOPES)


def type_name(text: str) -> str:
    """Type of a route."""
    return _named(text, TYPES)


def ip_protocol_name(text: str) -> str:
    """Transport protocol of a policy rule: iproute2 prints `tcp`, `ipproto-6` or `6`."""
    text = text.removeprefix("ipproto-")
    return {"icmpv6": "ipv6-icmp", "ipv6-icmp": "ipv6-icmp"}.get(text) or _named(text, IP_PROTOCOLS)


def tos_text(text: str) -> str:
    """Type of service as `0x10`; `0` for none. Names come from the host's files and are kept."""
    try:
        number = int(
            text, 16
        )  # Hexadecimal with and without `0x` (iproute2, lib/rt_names.c, rtnl_dsfield_a2n).
    except ValueError:
        return {"lowdelay": "0x10", "throughput": "0x8", "reliability": "0x4"}.get(text, text)
    if not 0 <= number <= 0xFF:
        return text
    return hex(number) if number else "0"


def bits(family: str) -> int:
    """Length of an address."""
    return 128 if family == "ip6" else 32


def _length(text: str, family: str) -> int:
    """Length of a prefix; IPv4 also takes a netmask."""
    number = int(text) if text.isdecimal() and text.isascii() else None
    if number is None and family == "ip":
        mask = int(ipaddress.IPv4Address(text))
        number = 32 - (~mask & 0xFFFFFFFF).bit_length()
        if mask != 0xFFFFFFFF << (32 - number) & 0xFFFFFFFF:
            raise ValueError(text)
    if number is None or number > bits(family):
        raise ValueError(text)
    return number


def prefix_text(text: str, family: str) -> str:
    """`default` and addresses without length become address and length; host bits are kept as they are."""
    if text in {"default", "all", "any"}:
        return "::/0" if family == "ip6" else "0.0.0.0/0"
    address, slash, length = text.partition("/")
    if family != "ip6" and address.count(".") < 3 and "." in address:
        # `10.1/16` is `10.1.0.0/16` (iproute2, lib/utils.c, get_addr_ipv4).
        address += ".0" * (3 - address.count("."))
    elif family != "ip6" and address.isdecimal() and slash:
        address += ".0.0.0"
    try:
        parsed = ipaddress.IPv6Address(address) if family == "ip6" else ipaddress.IPv4Address(address)
        size = _length(length, family) if slash else bits(family)
    except ValueError as error:
        raise NotUnderstoodError(f"`{text}` is no {'IPv6' if family == 'ip6' else 'IPv4'} prefix") from error
    return f"{parsed}/{size}"


def address_text(text: str) -> str:
    """An address in its shortest usual form."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise NotUnderstoodError(f"`{text}` is no address") from error


def mark_text(mark: str, mask: str = "") -> str:
    """`0x80` or `0x80/0xf0`; a full mask is no mask."""
    value, width = number_of(mark), number_of(mask) if mask else 0xFFFFFFFF
    if value is None or width is None:
        raise NotUnderstoodError(f"`{mark}{'/' if mask else ''}{mask}` is no mark")
    return hex(value) if width == 0xFFFFFFFF else f"{hex(value)}/{hex(width)}"


def read_table_names(text: str) -> dict[str, str]:
    """Names of `/etc/iproute2/rt_tables`: `100 tunnels`."""
    names: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        number = number_of(words[0]) if len(words) >= 2 else None
        if number is not None:
            names[words[1]] = str(number)
    return names

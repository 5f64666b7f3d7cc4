"""Whether a packet's values are an element of an ipset (ipset(8); kernel net/netfilter/ipset)."""

import shlex
from dataclasses import dataclass, field
from ipaddress import ip_network
from itertools import pairwise, product

from planner.dataplane.packet import FULL, ICMP, ICMP6, Packet
from planner.models.ruleset import IpSet
from planner.netfilter.kinds import protocol
from planner.netfilter.matches import icmp, icmp6
from planner.netfilter.problem import RuleError

Part = tuple[object, ...] | str | int
Key = tuple[Part, ...]
DEEPEST = 4
"""Sets of sets may not hold sets of sets (ipset(8), list:set); one level would do."""
MOST = 65536
"""Addresses of one element; the kernel's own list names single ones."""
NO_MAC = "00:00:00:00:00:00"
PORTED = frozenset({6, 17, 132, 136})
"""ip_set_getport.c, get_port."""


@dataclass(slots=True)
class Compiled:
    """A set's elements by value; for networks once for each combination of lengths, the longest first."""

    dimensions: tuple[str, ...]
    family: str
    """`ip`, `ip6`, or empty for both."""
    masks: tuple[int, ...] = ()
    elements: dict[Key, bool] = field(default_factory=dict)
    """Value to whether it matches (`nomatch` elements do not)."""
    lengths: list[tuple[int, ...]] = field(default_factory=list)
    networks: set[Part] = field(default_factory=set)
    """Of a set of networks and links: the longest that fits decides, whatever its links (hash_netiface4_data_equal)."""
    members: tuple[str, ...] = ()
    problem: str = ""


def compile_set(item: IpSet) -> Compiled:
    """The set for lookups."""
    method, _, kinds = item.type.partition(":")
    options = item.options.split()
    family = "ip6" if "inet6" in options else "ip" if "inet" in options or method == "bitmap" else ""
    dimensions = tuple(kinds.split(","))
    if dimensions in {("port",), ("mac",)}:
        family = ""
    made = Compiled(dimensions, family)
    if method == "list":
        made.members = tuple(element.split()[0] for element in item.elements)
        return made
    made.masks = _masks(options, family, dimensions)
    lengths: set[tuple[int, ...]] = set()
    for element in item.elements:
        try:
            words = shlex.split(element)
            for parts in product(*_parts(words[0], dimensions, method, tuple(words[1:]))):
                key = tuple(value for value, _ in parts)
                made.elements[key] = "nomatch" not in words[1:]
                if dimensions == ("net", "iface"):
                    made.networks.add(key[0])
                lengths.add(tuple(length for _, length in parts))
        except (ValueError, IndexError, RuleError):
            made.problem = f"element `{element}` of set {item.name} is not understood"
            return made
    made.lengths = sorted(lengths, reverse=True)
    return made


def _masks(options: list[str], family: str, dimensions: tuple[str, ...]) -> tuple[int, ...]:
    """What is left of the packet's address, and of its mark, before it is looked up."""
    bits = 128 if family == "ip6" else 32
    address, mark = (1 << bits) - 1, FULL
    for name, value in pairwise(options):
        if name == "netmask":
            address = (1 << bits) - (1 << bits - int(value))
        elif name == "bitmask":
            address = int(ip_network(value).network_address)
        elif name == "markmask":
            mark = int(value, 0)
    return tuple(mark if kind == "mark" else address if kind == "ip" else -1 for kind in dimensions)


def _parts(
    text: str, dimensions: tuple[str, ...], method: str, flags: tuple[str, ...]
) -> list[list[tuple[Part, int]]]:
    """For each dimension the values it stands for, each with the length of its prefix (0: no prefix)."""
    words = text.split(",")
    if len(words) < len(dimensions):
        words += ["any"] * (len(dimensions) - len(words))
    return [_values(word, kind, method, flags) for word, kind in zip(words, dimensions, strict=True)]


def _values(word: str, kind: str, method: str, flags: tuple[str, ...]) -> list[tuple[Part, int]]:
    match kind:
        case "net":
            prefix = ip_network(word, strict=False)
            return [((int(prefix.network_address), prefix.prefixlen), prefix.prefixlen + 1)]
        case "ip":
            prefix = ip_network(word, strict=False)
            if prefix.num_addresses > MOST:
                raise ValueError(f"{word} stands for too many addresses")
            return [(int(address), 0) for address in prefix]
        case "port" if method == "bitmap":
            first, _, last = word.partition("-")
            return [(number, 0) for number in range(int(first), int(last or first) + 1)]
        case "port":
            name, _, rest = word.rpartition(":")
            known = protocol(name) if name else 6
            if known in {ICMP, ICMP6}:
                names = icmp.NAMES if known == ICMP else icmp6.NAMES
                kind_, code, _ = names[rest] if rest in names else (*map(int, rest.split("/")), 0)
                return [((known, kind_ << 8 | code), 0)]
            first, _, last = rest.partition("-")
            return [((known, number), 0) for number in range(int(first), int(last or first) + 1)]
        case "mark":
            return [(int(word, 0), 0)]
        case "mac":
            return [(word.lower(), 0)]
        case "iface":
            # A physdev element asks for the port of a bridge; `wildcard` for names that begin so.
            return [((word.removeprefix("physdev:"), "physdev:" in word, "wildcard" in flags), 0)]
        case _:
            raise ValueError(kind)


def member(sets: dict[str, Compiled], name: str, packet: Packet, directions: tuple[str, ...]) -> bool | None:
    """Whether the packet is in the set; None when that cannot be said."""
    return _member(sets, name, packet, directions, 0)


def _member(
    sets: dict[str, Compiled], name: str, packet: Packet, directions: tuple[str, ...], depth: int
) -> bool | None:
    found = sets.get(name)
    if found is None or found.problem or depth > DEEPEST:
        return None
    if found.members or found.dimensions == ("set",):
        answers = [_member(sets, one, packet, directions, depth + 1) for one in found.members]
        return True if True in answers else None if None in answers else False
    # ip_set_core.c, ip_set_test: another family, or fewer directions than the set has dimensions, is no match.
    if len(directions) < len(found.dimensions) or found.family not in {"", packet.family}:
        return False
    unknown = False
    asked = [
        _asked(kind, packet, mask, source=side == "src")
        for kind, side, mask in zip(found.dimensions, directions, found.masks, strict=False)
    ]
    for lengths in found.lengths:
        options: list[tuple[Part, ...]] = []
        for kind, value, length in zip(found.dimensions, asked, lengths, strict=True):
            if value is None:
                unknown = True
                options = []
                break
            if kind == "net" and isinstance(value[0], int):
                bits = length - 1
                options.append(((value[0] >> packet.bits - bits << packet.bits - bits, bits),))
            else:
                options.append(value)
        for key in product(*options) if options else ():
            if key in found.elements:
                return found.elements[key]
        if options and not found.networks.isdisjoint(options[0]):
            return False
    return None if unknown else False


def _asked(kind: str, packet: Packet, mask: int, *, source: bool) -> tuple[Part, ...] | None:
    """What of the packet is looked up, in every notation that an element may have; None when it is not known."""
    match kind:
        case "net":
            return (packet.source if source else packet.destination,)
        case "ip":
            return ((packet.source if source else packet.destination) & mask,)
        case "port":
            return _port(packet, source=source)
        case "mark":
            return (packet.mark.value & mask,) if not mask & ~packet.mark.known else None
        case "mac" if packet.local or not packet.in_link:
            # No link-layer header, or one of lo that is empty: ip_set_hash_mac.c, hash_mac4_kadt() calls that no match.
            return ()
        case "mac":
            # An element of an address alone is completed by the first packet, which it matches (ip_set_test()).
            if not source or not packet.source_mac:
                return None
            return (packet.source_mac.lower(), "any") if packet.source_mac != NO_MAC else ()
        case "iface":
            name = packet.in_link if source else packet.out_link
            port = packet.in_port if source else packet.out_port
            return (
                (name, False, False), (port, True, False),
                *((name[:end], False, True) for end in range(len(name) + 1)),
                *((port[:end], True, True) for end in range(len(port) + 1)),
            )  # fmt: skip
        case _:
            return None


def _port(packet: Packet, *, source: bool) -> tuple[Part, ...] | None:
    """As an element with its protocol, and as one without."""
    if packet.protocol in PORTED:
        port = packet.source_port if source else packet.destination_port
        return None if port is None else ((packet.protocol, port), port)
    if packet.protocol in {ICMP, ICMP6}:
        return ((packet.protocol, packet.icmp_type << 8 | packet.icmp_code),)
    return ((packet.protocol, 0),)

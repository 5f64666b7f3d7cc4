"""What a match can mean: the closed core that every extension is lowered to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, assert_never

Interval = tuple[int, int]
"""Both ends belong to it."""


class Field(StrEnum):
    """A value that a packet, or the flow it belongs to, may carry."""

    PROTOCOL = "protocol"
    SOURCE = "source"
    DESTINATION = "destination"
    SOURCE_PORT = "source port"
    DESTINATION_PORT = "destination port"
    ICMP_TYPE = "icmp type"
    ICMP_CODE = "icmp code"
    TCP_FLAGS = "tcp flags"
    TCP_OPTIONS = "tcp options"
    """A set of option kinds as bits: bit n is option n."""
    TCP_MSS = "tcp mss"
    DCCP_OPTIONS = "dccp options"
    DCCP_TYPE = "dccp type"
    SPI = "security parameter index"
    FRAGMENT = "later fragment"
    """1 for every fragment but the first."""
    LENGTH = "length"
    TOS = "type of service"
    """The whole octet: DSCP is its upper six bits, ECN its lower two."""
    HOP_LIMIT = "hop limit"
    PACKET_TYPE = "link-layer packet type"
    """0 to this host, 1 broadcast, 2 multicast (include/uapi/linux/if_packet.h)."""
    SOURCE_MAC = "source mac"
    USER = "socket user"
    GROUP = "socket group"
    CPU = "cpu"
    IN_GROUP = "in-interface group"
    OUT_GROUP = "out-interface group"
    REALM = "routing realm"
    CGROUP = "cgroup class"
    HAS_SOCKET = "has a full socket"
    IS_BRIDGED = "is bridged"
    CAME_BY_BRIDGE = "came by a bridge port"
    LEAVES_BY_BRIDGE = "leaves by a bridge port"
    MH_TYPE = "mobility header type"
    CT_PROTOCOL = "conntrack protocol"
    CT_ORIGINAL_SOURCE = "conntrack original source"
    CT_ORIGINAL_DESTINATION = "conntrack original destination"
    CT_REPLY_SOURCE = "conntrack reply source"
    CT_REPLY_DESTINATION = "conntrack reply destination"
    CT_ORIGINAL_SOURCE_PORT = "conntrack original source port"
    CT_ORIGINAL_DESTINATION_PORT = "conntrack original destination port"
    CT_REPLY_SOURCE_PORT = "conntrack reply source port"
    CT_REPLY_DESTINATION_PORT = "conntrack reply destination port"
    CT_STATUS = "conntrack status"
    CT_EXPIRES = "conntrack seconds left"
    CT_REPLY_DIRECTION = "conntrack reply direction"
    """0 original, 1 reply."""


ADDRESSES = frozenset(
    {
        Field.SOURCE,
        Field.DESTINATION,
        Field.CT_ORIGINAL_SOURCE,
        Field.CT_ORIGINAL_DESTINATION,
        Field.CT_REPLY_SOURCE,
        Field.CT_REPLY_DESTINATION,
    }
)
WIDTHS = {
    Field.SOURCE_MAC: 48, Field.TCP_OPTIONS: 256, Field.DCCP_OPTIONS: 256, Field.DCCP_TYPE: 4, Field.PACKET_TYPE: 3, Field.FRAGMENT: 1,
    Field.HAS_SOCKET: 1, Field.IS_BRIDGED: 1, Field.CAME_BY_BRIDGE: 1, Field.LEAVES_BY_BRIDGE: 1,
    Field.CT_REPLY_DIRECTION: 1, Field.PROTOCOL: 8, Field.CT_PROTOCOL: 8, Field.ICMP_TYPE: 8, Field.ICMP_CODE: 8,
    Field.TCP_FLAGS: 8, Field.TOS: 8, Field.HOP_LIMIT: 8, Field.MH_TYPE: 8,
    Field.SPI: 32, Field.USER: 32, Field.GROUP: 32, Field.CPU: 32, Field.IN_GROUP: 32, Field.OUT_GROUP: 32,
    Field.REALM: 32, Field.CGROUP: 32, Field.CT_STATUS: 32, Field.CT_EXPIRES: 32,
}  # fmt: skip
"""In bits; 16 where nothing is said, and for addresses see `width`."""


@dataclass(frozen=True, slots=True)
class FieldIn:
    """The packet has the field and its value lies in one of the intervals (sorted, apart from each other)."""

    field: Field
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class FieldBits:
    """The packet has the field and `value of the field & mask == value`."""

    field: Field
    mask: int
    value: int


@dataclass(frozen=True, slots=True)
class MarkIs:
    """`mark & mask == value`. A value with bits outside the mask is never met."""

    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class ConnectionMarkIs:
    """The packet has a conntrack entry and its mark fits; as `MarkIs`."""

    value: int
    mask: int


CT_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")


@dataclass(frozen=True, slots=True)
class CtStateIs:
    """Any one of the states holds. SNAT and DNAT are bits that come beside NEW, RELATED or ESTABLISHED."""

    states: tuple[str, ...]
    """In the order of `CT_STATES`."""


@dataclass(frozen=True, slots=True)
class InInterface:
    """The packet came by a link of this name; a trailing `+` means every name that begins so."""

    pattern: str


@dataclass(frozen=True, slots=True)
class OutInterface:
    """The packet leaves by a link of this name."""

    pattern: str


@dataclass(frozen=True, slots=True)
class InBridgePort:
    """The packet came by this port of a bridge (physdev)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class OutBridgePort:
    """The packet leaves by this port of a bridge (physdev)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class InSet:
    """The packet's values are an element of an ipset."""

    name: str
    directions: tuple[str, ...]
    """`src` or `dst` for each dimension."""
    options: str = ""
    """What else the match asks (counters, nomatch), as text; empty for plain membership."""


@dataclass(frozen=True, slots=True)
class AddressType:
    """The routing type of an address, as the node's FIB says, is one of these."""

    side: Literal["source", "destination"]
    types: tuple[str, ...]
    limit: Literal["", "in", "out"] = ""
    """Looked up only on the link that the packet came by, or leaves by."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """At least one holds; an empty one never does."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Each holds; an empty one always does."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Does not hold."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Chance:
    """Holds for `numerator` of `denominator` packets: a draw, or every n-th packet when `counted`."""

    numerator: int
    denominator: int
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Opaque:
    """A match that is not modelled. Answers that depend on it are unknown, with `text` as the reason."""

    text: str
    """The match as iptables-save prints it."""
    stateful: bool = True
    """Looking at a packet may change what is found for the next one (limit, recent, quota …), or we do not know."""


Condition = (
    FieldIn | FieldBits | MarkIs | ConnectionMarkIs | CtStateIs | InInterface | OutInterface | InBridgePort
    | OutBridgePort | InSet | AddressType | OneOf | AllOf | Not | Chance | Opaque
)  # fmt: skip

ALWAYS = AllOf(())
NEVER = OneOf(())


def width(field: Field, family: str) -> int:
    """Bits of a field."""
    if field in ADDRESSES:
        return 32 if family == "ip" else 128
    return WIDTHS.get(field, 16)


def merge(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sorted, and joined where they touch. An interval that runs backwards is empty."""
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if low > high:
            continue
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(intervals: tuple[Interval, ...], bits: int) -> tuple[Interval, ...]:
    """Everything else that fits into so many bits."""
    rest: list[Interval] = []
    start = 0
    for low, high in merge(intervals):
        if low > start:
            rest.append((start, low - 1))
        start = high + 1
    if start < 1 << bits:
        rest.append((start, (1 << bits) - 1))
    return tuple(rest)


def intersect(first: tuple[Interval, ...], second: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """What lies in both."""
    common: list[Interval] = []
    mine = theirs = 0
    while mine < len(first) and theirs < len(second):
        low = max(first[mine][0], second[theirs][0])
        high = min(first[mine][1], second[theirs][1])
        if low <= high:
            common.append((low, high))
        if first[mine][1] < second[theirs][1]:
            mine += 1
        else:
            theirs += 1
    return tuple(common)


def field_in(field: Field, intervals: Iterable[Interval], *, family: str, inverted: bool = False) -> FieldIn:
    """The field is present, and its value inside (or, inverted, outside) the intervals."""
    merged = merge(intervals)
    return FieldIn(field, complement(merged, width(field, family)) if inverted else merged)


def masked(field: Field, value: int, mask: int, *, family: str, inverted: bool = False) -> Condition:
    """`field & mask == value`, as an interval where the mask is a prefix."""
    bits = width(field, family)
    whole = (1 << bits) - 1
    host = whole & ~mask
    if mask <= whole and host & (host + 1) == 0:
        inside = ((value, value | host),) if not value & ~mask else ()
        return field_in(field, inside, family=family, inverted=inverted)
    condition = FieldBits(field, mask, value)
    return Not(condition) if inverted else condition


def opaque_parts(condition: Condition) -> tuple[Opaque, ...]:
    """Every part of it that is not modelled."""
    match condition:
        case Opaque():
            return (condition,)
        case Not(condition=inner):
            return opaque_parts(inner)
        case OneOf(conditions=parts) | AllOf(conditions=parts):
            return tuple(found for part in parts for found in opaque_parts(part))
        case (
            FieldIn() | FieldBits() | MarkIs() | ConnectionMarkIs() | CtStateIs() | InInterface() | OutInterface()
            | InBridgePort() | OutBridgePort() | InSet() | AddressType() | Chance()
        ):  # fmt: skip
            return ()
        case _:
            assert_never(condition)

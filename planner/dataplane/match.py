"""Whether a packet meets a condition: yes, no, or not known."""

from collections.abc import Iterable
from typing import assert_never

from planner.dataplane import gaps, ipset, rpfilter
from planner.dataplane.packet import ICMP, ICMP6, TCP, WITH_PORTS, Ends, Packet
from planner.dataplane.query import Query
from planner.dataplane.view import View
from planner.netfilter.condition import (
    AddressType,
    AllOf,
    Chance,
    Condition,
    ConnectionMarkIs,
    CtStateIs,
    Field,
    FieldBits,
    FieldIn,
    InBridgePort,
    InInterface,
    InSet,
    MarkIs,
    Not,
    OneOf,
    Opaque,
    OutBridgePort,
    OutInterface,
)

ABSENT = -1
"""Such a packet has no such field: neither `FieldIn` nor `FieldBits` is met."""
COUNTER_OPTIONS = frozenset({"", "! --update-counters", "! --update-subcounters"})
CONFIRMED = 8
SPECIAL6 = frozenset({"LOCAL", "ANYCAST", "UNREACHABLE"})


def all_hold(conditions: Iterable[Condition], packet: Packet, view: View) -> bool | None:
    """Whether each holds. One that does not decides, whatever is not known of the others."""
    unknown = False
    for condition in conditions:
        answer = holds(condition, packet, view)
        if answer is False:
            return False
        unknown = unknown or answer is None
    return None if unknown else True


def holds(condition: Condition, packet: Packet, view: View) -> bool | None:
    """One condition."""
    match condition:
        case FieldIn(field=name, intervals=intervals):
            value = value_of(packet, name, view)
            if value is None:
                return None
            return value != ABSENT and any(low <= value <= high for low, high in intervals)
        case FieldBits(field=name, mask=mask, value=wanted):
            value = value_of(packet, name, view)
            if value is None:
                return None if mask else True
            return value != ABSENT and value & mask == wanted
        case MarkIs(value=wanted, mask=mask):
            return packet.mark.meets(wanted, mask)
        case ConnectionMarkIs(value=wanted, mask=mask):
            return packet.tracking.entry and packet.tracking.mark.meets(wanted, mask)
        case CtStateIs(states=states):
            return _state(packet, states)
        case InInterface(pattern=pattern):
            return named(packet.in_link, pattern)
        case OutInterface(pattern=pattern):
            return named(packet.out_link, pattern)
        case InBridgePort(pattern=pattern):
            return named(packet.in_port, pattern)
        case OutBridgePort(pattern=pattern):
            return None if packet.bridged and not packet.out_port else named(packet.out_port, pattern)
        case InSet(name=name, directions=directions, options=options):
            if options.removeprefix("-m set").strip() not in COUNTER_OPTIONS:
                return None
            if view.missing(gaps.SETS):
                return None
            return ipset.member(view.sets, name, packet, directions)
        case AddressType():
            return _address_type(condition, packet, view)
        case OneOf(conditions=parts):
            answers = [holds(part, packet, view) for part in parts]
            return True if True in answers else None if None in answers else False
        case AllOf(conditions=parts):
            return all_hold(parts, packet, view)
        case Not(condition=inner):
            answer = holds(inner, packet, view)
            return None if answer is None else not answer
        case Chance(numerator=hits, denominator=of):
            return True if hits >= of else False if hits <= 0 else None
        case Opaque(text=text) if text.startswith(rpfilter.NAME):
            return rpfilter.meets_rpfilter(text, packet, view)
        case Opaque(text=text) if text.startswith("-m recent --set "):
            return True  # It remembers the address, and matches (net/netfilter/xt_recent.c, recent_mt).
        case Opaque():
            return None
        case _:
            assert_never(condition)


def named(link: str, pattern: str) -> bool:
    """Whether a link has such a name. A packet that came, or leaves, by none has the empty name."""
    # ip_tables.c, ip_packet_match: the name is compared octet by octet under a mask.
    return link.startswith(pattern[:-1]) if pattern.endswith("+") else link == pattern


def _state(packet: Packet, states: tuple[str, ...]) -> bool | None:
    tracking = packet.tracking
    if tracking.state in states:
        return True
    bits = [
        bit
        for name, bit in (("SNAT", tracking.snat), ("DNAT", tracking.dnat))
        if name in states and tracking.entry
    ]
    return True if True in bits else None if None in bits else False


def value_of(packet: Packet, name: Field, view: View) -> int | None:
    """The field's value, `ABSENT` when such a packet has none, None when it is not known."""
    match name:
        case Field.PROTOCOL:
            return packet.protocol
        case Field.SOURCE:
            return packet.source
        case Field.DESTINATION:
            return packet.destination
        case Field.SOURCE_PORT:
            return packet.source_port if packet.protocol in WITH_PORTS else ABSENT
        case Field.DESTINATION_PORT:
            return packet.destination_port if packet.protocol in WITH_PORTS else ABSENT
        case Field.ICMP_TYPE:
            return packet.icmp_type if packet.protocol in {ICMP, ICMP6} else ABSENT
        case Field.ICMP_CODE:
            return packet.icmp_code if packet.protocol in {ICMP, ICMP6} else ABSENT
        case Field.TCP_FLAGS:
            return packet.tcp_flags if packet.protocol == TCP else ABSENT
        case Field.TCP_OPTIONS | Field.TCP_MSS:
            return None if packet.protocol == TCP else ABSENT
        case Field.DCCP_OPTIONS | Field.DCCP_TYPE:
            return None if packet.protocol == 33 else ABSENT
        case Field.SPI:
            return None if packet.protocol in {50, 51} else ABSENT
        case Field.MH_TYPE:
            return None if packet.protocol == 135 else ABSENT
        case Field.FRAGMENT:
            return 0
        case Field.LENGTH:
            return packet.length
        case Field.TOS:
            return packet.tos
        case Field.HOP_LIMIT:
            return packet.hop_limit
        case Field.PACKET_TYPE:
            multicast = view.fib(packet.family).local_type(packet.destination) == "multicast"
            return 2 if multicast else 1 if packet.broadcast else 0
        case Field.SOURCE_MAC:
            if packet.local or not packet.in_link:
                return ABSENT
            return int(packet.source_mac.replace(":", ""), 16) if packet.source_mac else None
        case Field.USER:
            # lo takes the socket away (drivers/net/loopback.c, loopback_xmit()).
            return packet.user if packet.local and not packet.in_link else ABSENT
        case Field.GROUP | Field.CGROUP:
            return None if packet.local else ABSENT
        case Field.HAS_SOCKET:
            return int(packet.local)
        case Field.CPU:
            return None
        case Field.REALM:
            routed = any("realms" in route.options for route in view.state.routes)
            return None if routed else 0
        case Field.IN_GROUP | Field.OUT_GROUP:
            return _group(packet.in_link if name is Field.IN_GROUP else packet.out_link, view)
        case Field.CAME_BY_BRIDGE:
            return int(bool(packet.in_port))
        case Field.LEAVES_BY_BRIDGE:
            return int(packet.bridged)
        case Field.IS_BRIDGED:
            return int(packet.bridged)
        case _:
            return _tracked_value(packet, name)


def _group(link: str, view: View) -> int | None:
    found = view.links.get(link)
    if found is None:
        return ABSENT
    return 0 if found.group == "default" else int(found.group) if found.group.isdigit() else None


def _tracked_value(packet: Packet, name: Field) -> int | None:
    """What conntrack's entry says. The reply's ends are those of the packet as it is translated so far."""
    tracking = packet.tracking
    if not tracking.entry:
        return ABSENT
    if name is Field.CT_PROTOCOL:
        error = tracking.state == "RELATED" and packet.is_error
        return tracking.protocol if error else packet.protocol
    if name is Field.CT_REPLY_DIRECTION:
        return None if tracking.binding is None and tracking.state != "NEW" else int(_replies(packet))
    if name is Field.CT_STATUS:
        # Of the bits that can be asked for, a flow without an answer has none until it is confirmed, at the very end.
        return None if tracking.state != "NEW" else CONFIRMED if tracking.confirmed else 0
    original = tracking.original
    if original is None or name is Field.CT_EXPIRES:
        return None
    now = packet.ends
    answer = tracking.answer or Ends(now.destination, now.source, now.destination_port, now.source_port)
    return {
        Field.CT_ORIGINAL_SOURCE: original.source,
        Field.CT_ORIGINAL_DESTINATION: original.destination,
        Field.CT_ORIGINAL_SOURCE_PORT: original.source_port,
        Field.CT_ORIGINAL_DESTINATION_PORT: original.destination_port,
        Field.CT_REPLY_SOURCE: answer.source,
        Field.CT_REPLY_DESTINATION: answer.destination,
        Field.CT_REPLY_SOURCE_PORT: answer.source_port,
        Field.CT_REPLY_DESTINATION_PORT: answer.destination_port,
    }[name]


def _replies(packet: Packet) -> bool:
    binding = packet.tracking.binding
    return binding is not None and binding.reply


def _address_type(condition: AddressType, packet: Packet, view: View) -> bool | None:
    address = packet.source if condition.side == "source" else packet.destination
    fib = view.fib(packet.family)
    if view.missing(gaps.routes(packet.family)):
        return None
    link = {"": "", "in": packet.in_link, "out": packet.out_link}[condition.limit]
    if condition.limit and not link:
        return False
    found = fib.local_type(address, link=link).upper()
    if packet.family == "ip":
        if address == 0 and "UNSPEC" in condition.types:
            return None
        return found in condition.types
    # xt_addrtype.c, match_type6: kinds of the address itself first, then the FIB.
    if "MULTICAST" in condition.types and found != "MULTICAST":
        return False
    if "UNICAST" in condition.types and found == "MULTICAST":
        return False
    if "UNSPEC" in condition.types and address != 0:
        return False
    asked = SPECIAL6.intersection(condition.types)
    if "UNREACHABLE" in asked and found not in asked:
        # match_lookup_rt6 asks the whole FIB, as a packet of the node would.
        looked = fib.lookup(Query(address, oif=link), lambda _key, _reason: True)
        if looked.type in {"none", "blackhole", "unreachable", "prohibit", "throw"}:
            return True
    return not asked or found in asked

"""Conditions of rules as sets of packets, for packets that may have been rewritten on the way."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import assert_never

from planner.dataplane.conntrack import NEIGHBOUR_MESSAGES
from planner.dataplane.packets.layout import STATES, WITH_PORTS, Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.rpfilter import NAME
from planner.dataplane.symbolic.bridging import Bridges
from planner.dataplane.symbolic.form import Form, Mapped
from planner.dataplane.symbolic.ipsets import IpSets
from planner.dataplane.symbolic.routing import Routing
from planner.dataplane.symbolic.rpfilter import WayBack
from planner.dataplane.symbolic.types import AddressTypes
from planner.dataplane.symbolic.view import View
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

PARTS = {
    Field.PROTOCOL: Part.PROTOCOL, Field.SOURCE: Part.SOURCE, Field.DESTINATION: Part.DESTINATION,
    Field.SOURCE_PORT: Part.SOURCE_PORT, Field.DESTINATION_PORT: Part.DESTINATION_PORT, Field.ICMP_TYPE: Part.ICMP_TYPE,
    Field.ICMP_CODE: Part.ICMP_CODE, Field.TCP_FLAGS: Part.TCP_FLAGS, Field.TOS: Part.TOS, Field.HOP_LIMIT: Part.HOP_LIMIT,
    Field.LENGTH: Part.LENGTH, Field.USER: Part.USER, Field.SOURCE_MAC: Part.SOURCE_MAC,
}  # fmt: skip
ASKED_FOR = {
    Field.CT_ORIGINAL_SOURCE: Part.SOURCE, Field.CT_ORIGINAL_DESTINATION: Part.DESTINATION,
    Field.CT_ORIGINAL_SOURCE_PORT: Part.SOURCE_PORT, Field.CT_ORIGINAL_DESTINATION_PORT: Part.DESTINATION_PORT,
    Field.CT_PROTOCOL: Part.PROTOCOL,
}  # fmt: skip
"""What the entry of a new flow holds: the header as it came."""
CONSTANT = {
    Field.FRAGMENT: 0,
}  # fmt: skip
"""Of whole packets."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a condition is looked at."""

    hook: str
    """`prerouting`, `input`, `forward`, `output`, `postrouting`."""
    table: str
    path: tuple[tuple[str, str, int], ...] = ()
    """The jumps that led here, and the rule itself: chain, text, and which of its equals it is."""
    before_tracking: bool = False
    """The raw table, or beside it: conntrack comes later (NF_IP_PRI_RAW < NF_IP_PRI_CONNTRACK)."""
    chain: str = ""
    """The base chain, where it has not the hook's name (nft)."""


class Matcher:
    """Answers for one side."""

    def __init__(
        self, space: Space, view: View, types: AddressTypes, bridges: Bridges, routing: Routing
    ) -> None:
        self.bridges = bridges
        self.ipsets = IpSets(space, view)
        self.way_back = WayBack(space, view, routing)
        self.space = space
        self.view = view
        self.types = types
        self.ports = space.inside(Part.PROTOCOL, ((number, number) for number in WITH_PORTS))
        self.states = states_of(space)
        self.tracked = self.states["NEW"] | self.states["ESTABLISHED"] | self.states["RELATED"]
        self._plain: dict[Condition, PacketSet] = {}
        self._links: dict[str, PacketSet] = {}
        self.salt: Hashable = ""
        """What the answers to matches that look at routes depend on."""

    def hit(self, where: PacketSet, form: Form, conditions: tuple[Condition, ...], place: Place) -> PacketSet:
        """Those packets of a set that meet every condition."""
        for condition in conditions:
            where = where & self.meets(condition, form, place)
            if not where.satisfiable():
                break
        return where

    def meets(self, condition: Condition, form: Form, place: Place) -> PacketSet:
        """All packets that meet one condition, if they have the form."""
        match condition:
            case FieldIn() | FieldBits():
                return self._field(condition, form, place)
            case MarkIs(value=value, mask=mask):
                return self._bits(value, mask, (form.mark, form.mark_unknown), "mark", form)
            case ConnectionMarkIs(value=value, mask=mask):
                return self._connection_mark(value, mask, form, place)
            case CtStateIs(states=states):
                return self._state(states, form, place)
            case InInterface(pattern=pattern):
                return self._came(pattern, form, place)
            case OutInterface(pattern=pattern):
                name = form.link if place.hook in {"forward", "postrouting"} else ""
                name = form.first_link if place.hook == "output" else name
                return self.space.all if fits(name, pattern) else self.space.none
            case InBridgePort(pattern=pattern):
                seen = self.space.none if form.came else self.bridges.seen
                came = self.view.by_port(name for name in self.view.ports if fits(name, pattern)) & seen
                return came | ~seen if fits("", pattern) else came
            case OutBridgePort(pattern=pattern):
                return self._leaves_by(pattern, form)
            case InSet():
                found = self.ipsets.holding(
                    condition, form, place.hook, lambda asked: self.meets(asked, form, place)
                )
                if found is None:
                    what = self.view.ipsets.get(condition.name)
                    return self._oracle((condition, what), form, f"-m set --match-set {condition.name}")
                return found
            case AddressType(side=side, types=types, limit=limit):
                return self.types.are(side, types, limit, form, self._device(limit, form))
            case Not(condition=inner):
                return ~self.meets(inner, form, place)
            case OneOf(conditions=parts):
                return self.space.union([self.meets(part, form, place) for part in parts])
            case AllOf(conditions=parts):
                every = self.space.all
                for part in parts:
                    every = every & self.meets(part, form, place)
                return every
            case Chance(numerator=hits, denominator=whole):
                if hits >= whole:
                    return self.space.all
                if hits <= 0:
                    return self.space.none
                text = place.path[-1][1] if place.path else "a draw"
                return self.space.oracle(
                    ("draw", place.hook, place.table, place.path, form.came, condition), text=text,
                    chance=hits / whole,
                )  # fmt: skip
            case Opaque(text=text) if text.startswith(NAME):
                led = self.way_back.meets(text, form)
                return self._oracle((text, self.salt), form, text) if led is None else led
            case Opaque(text=text) if text.startswith("-m recent --set "):
                # It remembers the address, and matches (net/netfilter/xt_recent.c, recent_mt()).
                return self.space.all
            case Opaque(text=text) if text.startswith("fib "):
                return self._oracle((text, place.hook, self.salt), form, text)
            case Opaque(text=text, stateful=stateful):
                where = (place.hook, place.table, place.path) if stateful else ()
                return self._oracle((text, where), form, text)
            case _:
                assert_never(condition)

    def _oracle(self, key: Hashable, form: Form, text: str) -> PacketSet:
        return self.space.oracle(("match", key, form.looks), text=text)

    def _field(self, asked: FieldIn | FieldBits, form: Form, place: Place) -> PacketSet:
        field = asked.field
        changed = rewritten(form, field)
        if changed is None and field in PARTS:
            found = self._plain.get(asked)
            if found is None:
                found = self._plain[asked] = self._original(asked, PARTS[field]) & self._having(field)
            if field in {Field.USER, Field.SOURCE_MAC}:
                local = self.space.equals(Part.IN_LINK, 0)
                if field is Field.SOURCE_MAC:
                    return found & ~local
                sending = place.hook in {"output", "postrouting"} and not form.came
                return found & local if sending else self.space.none
            return found
        if isinstance(changed, Mapped):
            return changed.looking(self.space, PARTS[field], self._original(asked, PARTS[field]))
        if isinstance(changed, int):
            return self._having(field) if holds(asked, changed) else self.space.none
        if isinstance(changed, bytes):
            now = changed
            return self.space.inside(
                PARTS[field], ((old, old) for old in range(256) if holds(asked, now[old]))
            )
        if isinstance(changed, tuple) and isinstance(asked, FieldIn):
            inside = [
                (low, high) for low, high in asked.intervals if low <= changed[1] and high >= changed[0]
            ]
            if not inside:
                return self.space.none
            if any(low <= changed[0] and changed[1] <= high for low, high in inside):
                return self._having(field)
        if field in CONSTANT:
            return self.space.all if holds(asked, CONSTANT[field]) else self.space.none
        if field is Field.PACKET_TYPE:
            told = self.types.are("destination", ("BROADCAST",), "", form, "")
            plain = self.space.all if holds(asked, 0) else self.space.none
            return (plain & ~told) | (told & self._oracle(asked, form, "the link-layer type of a broadcast"))
        if field in {Field.IN_GROUP, Field.OUT_GROUP, Field.REALM}:
            return self._group(asked, form, place)
        if field in {Field.GROUP, Field.CGROUP}:
            return self.space.equals(Part.IN_LINK, 0) & self._oracle(asked, form, f"{field}")
        if field is Field.HAS_SOCKET:
            local = self.space.equals(Part.IN_LINK, 0)
            return (local if holds(asked, 1) else self.space.none) | (
                ~local if holds(asked, 0) else self.space.none
            )
        if field is Field.CAME_BY_BRIDGE:
            seen = self.space.none if form.came else self.bridges.seen
            by_port = seen if holds(asked, 1) else self.space.none
            return by_port | (~seen if holds(asked, 0) else self.space.none)
        if field in {Field.IS_BRIDGED, Field.LEAVES_BY_BRIDGE}:
            return self.space.all if holds(asked, int(bool(form.bridge))) else self.space.none
        if field in ASKED_FOR or field is Field.CT_REPLY_DIRECTION:
            return self._entry(asked, form, place)
        return self._having(field) & self._oracle(asked, form, f"{field}")

    def _group(self, asked: FieldIn | FieldBits, form: Form, place: Place) -> PacketSet:
        """Groups of links, and realms of routes, where somebody uses them."""
        if asked.field is Field.REALM:
            used = any("realms" in route.options for route in self.view.state.routes)
        else:
            used = any(link.group not in {"default", "0"} for link in self.view.links.values())
        if used:
            return self._oracle((asked, place.hook), form, f"{asked.field}")
        return self.space.all if holds(asked, 0) else self.space.none

    def _entry(self, asked: FieldIn | FieldBits, form: Form, place: Place) -> PacketSet:
        """A question about the conntrack entry."""
        if form.untracked or (place.before_tracking and not form.came):
            return self.space.none
        if asked.field is Field.CT_REPLY_DIRECTION:
            new = self.space.all if holds(asked, 0) else self.space.none
        else:
            new = self._original(asked, ASKED_FOR[asked.field])
        others = (self.tracked & ~self.states["NEW"]) & self._oracle(asked, form, f"{asked.field}")
        return (self.states["NEW"] & new) | others

    def _original(self, asked: FieldIn | FieldBits, part: Part) -> PacketSet:
        match asked:
            case FieldIn(intervals=intervals):
                return self.space.inside(part, intervals)
            case FieldBits(mask=mask, value=value):
                return self.space.bits(part, value, mask)
            case _:
                assert_never(asked)

    def _having(self, field: Field) -> PacketSet:
        """Packets that have the field at all."""
        match field:
            case Field.SOURCE_PORT | Field.DESTINATION_PORT:
                return self.ports
            case Field.ICMP_TYPE | Field.ICMP_CODE:
                return self.space.equals(Part.PROTOCOL, 58 if self.view.six else 1)
            case Field.TCP_FLAGS | Field.TCP_OPTIONS | Field.TCP_MSS:
                return self.space.equals(Part.PROTOCOL, 6)
            case _:
                return self.space.all

    def _bits(self, value: int, mask: int, held: tuple[int, int], what: str, form: Form) -> PacketSet:
        """`held & mask == value`, where some bits may not be known."""
        if value & ~mask:
            return self.space.none
        known = mask & ~held[1]
        if (held[0] ^ value) & known:
            return self.space.none
        unsure = mask & held[1]
        if not unsure:
            return self.space.all
        return self.space.oracle(
            ("bits", value & unsure, unsure, form.looks), text=f"{what} {value:#x}/{mask:#x}"
        )

    def _connection_mark(self, value: int, mask: int, form: Form, place: Place) -> PacketSet:
        if form.untracked or (place.before_tracking and not form.came):
            return self.space.none
        if form.connection_mark is not None:
            return self.tracked & self._bits(value, mask, form.connection_mark, "connection mark", form)
        new = self.states["NEW"] & self._bits(value, mask, (0, 0), "", form)
        old = self._bits(value, mask, (0, 0xFFFFFFFF), "connection mark", form)
        return new | (self.tracked & ~self.states["NEW"] & old)

    def _state(self, asked: tuple[str, ...], form: Form, place: Place) -> PacketSet:
        if form.untracked:
            return self.space.all if "UNTRACKED" in asked else self.space.none
        if place.before_tracking and not form.came:
            # No entry and no mark of UNTRACKED yet: xt_conntrack.c, conntrack_mt() calls that INVALID.
            return self.space.all if "INVALID" in asked else self.space.none
        if ("DNAT" in asked and form.translated) or ("SNAT" in asked and form.translated_source):
            return self.space.all
        found = self.space.union([self.states[name] for name in asked if name in self.states])
        for name, bound in (("DNAT", form.bound), ("SNAT", form.bound_source)):
            if name in asked and not bound:
                known = self.states["ESTABLISHED"] | self.states["RELATED"]
                found = found | (
                    known & self._oracle(("translated", name), form, f"whether the flow has {name}")
                )
        return found

    def _came(self, pattern: str, form: Form, place: Place) -> PacketSet:
        # br_nf_post_routing() shows no link of entry (measured).
        shows = self.view.shows_entry and not form.bridge
        if place.hook == "output" or (place.hook == "postrouting" and not shows):
            return self.space.all if fits("", pattern) else self.space.none
        if form.came:
            return self.space.all if fits(form.came, pattern) else self.space.none
        found = self._links.get(pattern)
        if found is None:
            names = {name for name in self.view.codes if fits(name, pattern)}
            found = self.view.came_by(names)
            if fits("", pattern):
                found = found | self.space.equals(Part.IN_LINK, 0)
            self._links[pattern] = found
        return found

    def _leaves_by(self, pattern: str, form: Form) -> PacketSet:
        """Frames that leave a bridge by a port of this name."""
        if form.bridge and form.port is None:
            return self.view.by_port((name for name in self.view.ports if fits(name, pattern)), Part.OUT_PORT)
        if form.bridge and not form.port:
            return self._oracle(("out port", pattern), form, f"the port of {form.bridge} that it leaves by")
        return self.space.all if fits(form.port or "", pattern) else self.space.none

    def _device(self, limit: str, form: Form) -> str:
        return (form.first_link or form.link) if limit == "out" else form.came


def states_of(space: Space) -> dict[str, PacketSet]:
    """What conntrack says of packets; messages between neighbours are never tracked (nf_conntrack_proto_icmpv6.c)."""
    found = {name: space.equals(Part.STATE, at) for at, name in enumerate(STATES)}
    if space.family == "ip":
        return found
    kinds = space.inside(Part.ICMP_TYPE, ((kind, kind) for kind in sorted(NEIGHBOUR_MESSAGES)))
    never = space.equals(Part.PROTOCOL, 58) & kinds
    found = {name: where & ~never for name, where in found.items()}
    return {**found, "UNTRACKED": found["UNTRACKED"] | never}


def rewritten(form: Form, field: Field) -> int | bytes | tuple[int, int] | Mapped | None:
    """What a field has become; None when it is as it came."""
    match field:
        case Field.DESTINATION:
            return form.destination
        case Field.DESTINATION_PORT:
            return form.destination_port
        case Field.SOURCE:
            return _single(form.source)
        case Field.SOURCE_PORT:
            return _single(form.source_ports)
        case Field.TOS:
            return form.tos
        case Field.HOP_LIMIT:
            return form.hop_limit
        case _:
            return None


def _single(interval: tuple[int, int] | Mapped | None) -> int | tuple[int, int] | Mapped | None:
    return interval[0] if isinstance(interval, tuple) and interval[0] == interval[1] else interval


def holds(asked: FieldIn | FieldBits, value: int) -> bool:
    """A condition on a value that is known."""
    match asked:
        case FieldIn(intervals=intervals):
            return any(low <= value <= high for low, high in intervals)
        case FieldBits(mask=mask, value=wanted):
            return value & mask == wanted
        case _:
            assert_never(asked)


def fits(name: str, pattern: str) -> bool:
    """A link's name and a pattern."""
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern

"""Membership in an ipset as a set of packets: the elements that one packet is looked up in, for all packets."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from planner.dataplane.ipset import PORTED, Compiled, Key
from planner.dataplane.packet import ICMP, ICMP6
from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.form import Form, Mapped, in_prefix
from planner.dataplane.symbolic.view import View
from planner.netfilter.condition import (
    Condition,
    InBridgePort,
    InInterface,
    InSet,
    OutBridgePort,
    OutInterface,
)

KINDS = frozenset({"ip", "net", "port", "mark", "mac", "iface"})
Meets = Callable[[Condition], PacketSet]
"""Packets that meet a condition where the set is asked."""
PLAIN_OPTIONS = frozenset({"", "! --update-counters", "! --update-subcounters"})
DEEPEST = 4
MANY = 32
"""More elements than that are found by a value that is known, where one is."""
Held = tuple[int, int] | Mapped | None
"""What a field has become, lowest and highest; None: as it came."""


class Group:
    """Elements of one length in every dimension: the longest are asked first (ip_set_hash_gen.h, mtype_test_cidrs())."""

    def __init__(self, lengths: tuple[int, ...], keys: Sequence[Key]) -> None:
        self.lengths = lengths
        self.keys = keys
        self._by: dict[int, dict[object, list[Key]]] = {}

    def having(self, dimension: int, values: Iterable[object]) -> list[Key]:
        """Elements with one of the values in one dimension."""
        held = self._by.get(dimension)
        if held is None:
            found: defaultdict[object, list[Key]] = defaultdict(list)
            for key in self.keys:
                found[key[dimension]].append(key)
            held = self._by[dimension] = dict(found)
        return [key for value in values for key in held.get(value, ())]


@dataclass(frozen=True, slots=True)
class Asking:
    """Packets that are looked up, and where."""

    form: Form
    hook: str
    meets: Meets


def _by_link(element: object, *, source: bool, meets: Meets) -> PacketSet:
    """Packets that came, or leave, by the link of an element."""
    match element:
        case (str(name), bool(port), bool(wild)):
            pattern = f"{name}+" if wild else name
            if port:
                return meets(InBridgePort(pattern) if source else OutBridgePort(pattern))
            return meets(InInterface(pattern) if source else OutInterface(pattern))
        case _:
            raise TypeError(element)


class IpSets:
    """The sets of one side."""

    def __init__(self, space: Space, view: View) -> None:
        self.space = space
        self.view = view
        self._groups: dict[str, list[Group]] = {}
        self._known: dict[tuple[object, ...], PacketSet | None] = {}

    def holding(self, asked: InSet, form: Form, hook: str, meets: Meets) -> PacketSet | None:
        """Packets whose values are an element; None when the set, or the question, is not modelled."""
        if asked.options.removeprefix("-m set").strip() not in PLAIN_OPTIONS:
            return None
        return self._members(asked.name, asked.directions, Asking(form, hook, meets), 0)

    def _members(
        self, name: str, directions: tuple[str, ...], here: "Asking", depth: int
    ) -> PacketSet | None:
        form = here.form
        held = self.view.node.sets.get(name)
        if held is None or held.problem or depth > DEEPEST:
            return None
        key: tuple[object, ...] = (
            name, directions, form.destination, form.destination_port, form.source, form.source_ports, form.mark,
            form.mark_unknown,
        )  # fmt: skip
        if {"set", "iface"}.intersection(held.dimensions):
            key = (*key, here.hook, form.came, form.link, form.first_link, form.bridge, form.port)
        if key not in self._known:
            if held.members or held.dimensions == ("set",):
                parts = [self._members(one, directions, here, depth + 1) for one in held.members]
                known = [part for part in parts if part is not None]
                self._known[key] = self.space.union(known) if len(known) == len(parts) else None
            else:
                self._known[key] = self._elements(name, held, directions, here)
        return self._known[key]

    def _elements(
        self, name: str, held: Compiled, directions: tuple[str, ...], here: "Asking"
    ) -> PacketSet | None:
        space, form = self.space, here.form
        # ip_set_core.c, ip_set_test(): another family, or fewer directions than the set has dimensions, is no match.
        if len(directions) < len(held.dimensions) or held.family not in {"", space.family}:
            return space.none
        if not KINDS.issuperset(held.dimensions):
            return None
        if "mac" in held.dimensions and directions[held.dimensions.index("mac")] != "src":
            return None
        now = [self._now(kind, side, form) for kind, side in zip(held.dimensions, directions, strict=False)]
        if any(isinstance(value, tuple) and value[0] != value[1] for value in now):
            return None
        if "mark" in held.dimensions and form.mark_unknown:
            return None
        rest, found = space.all, [space.none]
        for group in self._grouped(name, held):
            yes: list[PacketSet] = []
            no: list[PacketSet] = []
            for key in self._near(group, held, now):
                part = space.all
                for at, kind in enumerate(held.dimensions):
                    if kind == "iface":
                        # The longest network that fits decides, whatever its link (hash_netiface4_data_equal()).
                        no.append(part)
                        part = part & _by_link(key[at], source=directions[at] == "src", meets=here.meets)
                        continue
                    part = part & self._part(
                        kind, key[at], held.masks[at], directions[at] == "src", now[at], form
                    )
                (yes if held.elements[key] else no).append(part)
            those = space.union(yes)
            found.append(rest & those)
            rest = rest & ~(those | space.union(no))
        return space.union(found)

    def _grouped(self, name: str, held: Compiled) -> list[Group]:
        made = self._groups.get(name)
        if made is None:
            by_lengths: defaultdict[tuple[int, ...], list[Key]] = defaultdict(list)
            for key in held.elements:
                by_lengths[
                    tuple(
                        value[1] + 1
                        if kind == "net" and isinstance(value, tuple) and isinstance(value[1], int)
                        else 0
                        for kind, value in zip(held.dimensions, key, strict=True)
                    )
                ].append(key)
            made = self._groups[name] = [
                Group(lengths, keys) for lengths, keys in sorted(by_lengths.items(), reverse=True)
            ]
        return made

    def _near(self, group: Group, held: Compiled, now: Sequence[Held]) -> Sequence[Key]:
        """The elements of a group that a value which is known leaves."""
        if len(group.keys) <= MANY:
            return group.keys
        for at, (kind, value) in enumerate(zip(held.dimensions, now, strict=True)):
            if not isinstance(value, tuple):
                continue
            if kind == "ip":
                return group.having(at, (value[0] & held.masks[at],))
            if kind == "net":
                shift = self.view.bits - (group.lengths[at] - 1)
                return group.having(at, ((value[0] >> shift << shift, group.lengths[at] - 1),))
        return group.keys

    def _now(self, kind: str, side: str, form: Form) -> Held:
        destination = (form.destination,) * 2 if isinstance(form.destination, int) else form.destination
        port = None if form.destination_port is None else (form.destination_port, form.destination_port)
        match kind:
            case "ip" | "net":
                return form.source if side == "src" else destination
            case "port":
                return form.source_ports if side == "src" else port
            case _:
                return None

    def _part(self, kind: str, value: object, mask: int, source: bool, now: Held, form: Form) -> PacketSet:  # noqa: FBT001 - which side
        """One dimension of an element."""
        space = self.space
        match kind, value:
            case "ip", int():
                part = Part.SOURCE if source else Part.DESTINATION
                if isinstance(now, Mapped):
                    return now.having(space, part, value, mask)
                if now is not None:
                    return space.all if now[0] & mask == value else space.none
                return space.bits(part, value, mask)
            case "net", (int() as base, int() as length):
                part = Part.SOURCE if source else Part.DESTINATION
                return in_prefix(space, part, now[0] if isinstance(now, tuple) else now, base, length)
            case "mac", str(mac):
                # Packets of the node, and those that came by lo, have none (ip_set_hash_mac.c, hash_mac4_kadt()).
                arrived = ~space.equals(Part.IN_LINK, 0) & ~space.equals(Part.SOURCE_MAC, 0)
                if mac == "any":
                    return arrived
                return arrived & space.equals(Part.SOURCE_MAC, int(mac.replace(":", ""), 16))
            case "mark", int():
                return space.all if form.mark & mask == value else space.none
            case "port", int():
                ported = space.inside(Part.PROTOCOL, ((one, one) for one in sorted(PORTED)))
                return ported & self._port(value, source, now)
            case "port", (int() as protocol, int() as number):
                same = space.equals(Part.PROTOCOL, protocol)
                if protocol in PORTED:
                    return same & self._port(number, source, now)
                if protocol in {ICMP, ICMP6}:
                    kinds = space.equals(Part.ICMP_TYPE, number >> 8) & space.equals(
                        Part.ICMP_CODE, number & 0xFF
                    )
                    return same & kinds
                return same if number == 0 else space.none
            case _:
                return space.none

    def _port(self, value: int, source: bool, now: Held) -> PacketSet:  # noqa: FBT001 - which side
        if isinstance(now, tuple):
            return self.space.all if now[0] == value else self.space.none
        return self.space.equals(Part.SOURCE_PORT if source else Part.DESTINATION_PORT, value)

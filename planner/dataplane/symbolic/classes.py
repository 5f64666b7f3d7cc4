"""From pairs of ends to classes of packets that people can read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from planner.dataplane.packet import number, show
from planner.dataplane.packets.layout import STATES, WITH_PORTS, Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.packets.witness import Box, boxes, witness
from planner.dataplane.symbolic.form import End, Mapped
from planner.dataplane.symbolic.lockstep import Ends
from planner.dataplane.symbolic.partition import REFUSED, SIZES, Cell, Partition
from planner.models.comparison import MEASURED, PASSES, Ending, Exactness, PacketClass
from planner.models.flow import Disposition, Entry, Flow
from planner.models.traffic import TrafficPart

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmpv6", 132: "sctp", 136: "udplite"}
REFUSALS = frozenset(Disposition) - PASSES - {Disposition.UNKNOWN}
SHOWN = 6
"""Boxes of a class."""
ASKED = 12
"""Open questions named for a class."""
Group = tuple[object, ...]
Exact = Callable[[PacketSet], list[tuple[End, End, PacketSet]]]
"""How some packets end on both sides where they are treated differently, each destination told apart."""


def differing(space: Space, before: End, after: End, where: PacketSet) -> PacketSet:
    """Those packets of a set whose two ends can be told apart: a value that stands there already is no rewrite."""
    if before == after:
        return space.none
    same = space.all
    for part, one, other in (
        (Part.DESTINATION, before.destination, after.destination),
        (Part.DESTINATION_PORT, before.destination_port, after.destination_port),
        (Part.SOURCE, before.source, after.source),
        (Part.SOURCE_PORT, before.source_ports, after.source_ports),
    ):
        same = same & _same_value(space, part, one, other)
    for part, mine, theirs in (
        (Part.TOS, before.tos, after.tos), (Part.HOP_LIMIT, before.hop_limit, after.hop_limit)
    ):  # fmt: skip
        if mine != theirs:
            kept = [
                old for old in range(256) if (mine[old] if mine else old) == (theirs[old] if theirs else old)
            ]
            same = same & space.inside(part, ((old, old) for old in kept))
    plain = ("disposition", "link", "by_port", "reject_kind", "doubt", "at")
    if any(getattr(before, name) != getattr(after, name) for name in plain):
        return where
    if before.hop != after.hop:
        # A next hop that is the destination itself may be written either way.
        hop, end = (before.hop, after) if before.hop else (after.hop, before)
        if (before.hop and after.hop) or (":" in hop) != (space.family == "ip6"):
            return where
        same = same & _same_value(space, Part.DESTINATION, number(hop), end.destination)
    return where & ~same


Value = int | tuple[int, int] | Mapped | None


def _same_value(space: Space, part: Part, one: Value, other: Value) -> PacketSet:
    """Packets to which two rewrites of a field give the same; one of a range may give any value of it."""
    if one == other:
        return space.all
    width = len(space.variables[part])
    left, right = _bits_set(one, width), _bits_set(other, width)
    return space.none if left is None or right is None else left.same(space, part, right)


def _bits_set(value: Value, width: int) -> Mapped | None:
    """Which bits of the field are set to what; None: it hangs on more than the packet."""
    match value:
        case None:
            return Mapped(0, 0)
        case int():
            return Mapped(value, (1 << width) - 1)
        case (low, high):
            return Mapped(low, (1 << width) - 1) if low == high else None
        case Mapped():
            return value
        case _:
            assert_never(value)


def classes_of(
    space: Space,
    ends: Ends,
    names: Sequence[str],
    wishes: Sequence[PacketSet],
    open_ends: "OpenEnds",
    partition: Partition | None = None,
    exact: Exact | None = None,
) -> tuple[list[PacketClass], PacketSet]:
    """The classes of one entry, the largest first, and every packet that passed for certain and does no more.

    The sets of the ends may hold stand-ins, which are resolved once for all that is told alike.
    """
    groups: dict[Group, Members] = {}
    lost: list[PacketSet] = []
    alike: dict[Group, tuple[End, End, list[PacketSet]]] = {}
    for (before, after), where in ends.items():
        apart = where if before == after and open_ends(before) else differing(space, before, after, where)
        if apart.satisfiable():
            told = (_group(before, after), before.reason, after.reason)
            alike.setdefault(told, (before, after, []))[2].append(apart)
    resolved = [(before, after, space.resolved(space.union(sets))) for before, after, sets in alike.values()]
    space.dismiss()
    for before, after, apart in resolved:
        if not apart.satisfiable():
            continue
        space.tidy()
        aside = _aside(before, after)
        served = _served(before) or _served(after)
        for cell, part in (
            [(None, apart)] if partition is None else partition.split(apart, aside=aside, served=served)
        ):
            key = (_group(before, after), None) if cell is None else _told(before, after, cell)
            groups.setdefault(key, Members(cell)).add(before, after, part)
            if _lost(before, after, cell):
                lost.append(part)
    near = None if partition is None else partition.near
    found = [_class(space, members, names, wishes, near, exact) for members in groups.values()]
    return sorted(found, key=lambda one: (-one.share, str(one.before), str(one.after), str(one.witness))), (
        space.union(lost)
    )


@dataclass(slots=True)
class Members:
    """Pairs of ends that are told as one class."""

    cell: Cell | None
    pairs: list[tuple[End, End, PacketSet]] = field(default_factory=list)

    def add(self, before: End, after: End, where: PacketSet) -> None:
        """One more."""
        self.pairs.append((before, after, where))


def _group(before: End, after: End) -> Group:
    return tuple(
        (
            end.disposition, end.link, end.reject_kind, end.doubt, end.destination is None,
            "range" if isinstance(end.source, tuple) and end.source[0] != end.source[1] else end.source,
        )
        for end in (before, after)
    )  # fmt: skip


def _told(before: End, after: End, cell: Cell) -> Group:
    """Where one side does not pass, it is all one by which link and as what the other does."""
    if _lost(before, after, cell):
        return (cell.part.name, "lost", after.disposition, after.reject_kind, after.doubt, after.reason)
    passed, passes = before.disposition in PASSES, after.disposition in PASSES
    if passes and not passed:
        return (cell.part.name, before.disposition, before.reject_kind, before.doubt, before.reason)
    same = before.link == after.link
    return (
        cell.part.name,
        *_group(replace(before, link=""), replace(after, link="")),
        same or (before.link, after.link),
    )


def _aside(before: End, after: End) -> TrafficPart | None:
    """What nobody asks by whom it was sent."""
    ends = {before.disposition, after.disposition}
    return SIZES if ends & MEASURED else REFUSED if ends <= REFUSALS else None


def _served(end: End) -> bool:
    """Whether somebody may answer a packet that asks for a Service."""
    if end.disposition is Disposition.SENT or end.disposition is Disposition.BRIDGED:
        return end.destination is not None
    return end.disposition in {Disposition.DELIVERED, Disposition.UNKNOWN}


def _lost(before: End, after: End, cell: Cell | None) -> bool:
    """Passed for certain, and for certain does no more; or was led to who serves it, and is not led anywhere."""
    if before.disposition not in PASSES:
        return False
    if after.disposition not in PASSES:
        return after.disposition not in {Disposition.UNKNOWN, *MEASURED}
    served = cell is not None and cell.part.served
    return served and before.destination is not None and after.destination is None


def _class(
    space: Space,
    members: Members,
    names: Sequence[str],
    wishes: Sequence[PacketSet],
    near: PacketSet | None,
    exact: Exact | None,
) -> PacketClass:
    space.tidy()
    every = space.union([where for _, _, where in members.pairs])
    unknown = space.unknowns
    certain = space.certain(every, unknown)
    lost = [end.doubt for pair in members.pairs for end in pair[:2] if end.disposition is Disposition.UNKNOWN]
    exactness = Exactness.EXACT
    if lost or not certain.satisfiable():
        exactness = Exactness.UNKNOWN
    elif certain != space.possible(every, unknown):
        exactness = Exactness.OVER_APPROXIMATED
    among = certain if certain.satisfiable() else every
    far = space.none if near is None else among & ~near
    wanted = [] if members.cell is None else [members.cell.used]
    if members.cell is not None and members.cell.example is not None:
        wanted.append(members.cell.example)
    opening = far & space.equals(Part.STATE, STATES.index("NEW"))
    if opening.satisfiable() and all(after.disposition in PASSES for _, after, _ in members.pairs):
        wanted.insert(0, opening)
    one = witness(space, among, [*wanted, *wishes])
    header = space.all
    for part, value in one.items():
        header = header & space.equals(part, value)
    before, after, _ = next(
        (pair for pair in members.pairs if (pair[2] & among & header).satisfiable()), members.pairs[0]
    )
    # What is told is what the packet that is shown hangs on; of the others the exactness speaks.
    own = space.oracles_of(every & header)
    drawn = [oracle for oracle in own if oracle.chance is not None]
    for mine, theirs, apart in () if exact is None else exact(header):
        # Destinations that nothing tells apart were taken as one, and so were rules of one form.
        if _group(mine, theirs) == _group(before, after):
            before, after = mine, theirs
            drawn = [oracle for oracle in space.oracles_of(apart) if oracle.chance is not None]
            break
    lost = [end.doubt for end in (before, after) if end.disposition is Disposition.UNKNOWN]
    because = list(dict.fromkeys([*lost, *(oracle.text for oracle in own if oracle.chance is None)]))
    if exactness is Exactness.EXACT:
        because = []
    shown = list(boxes(space, every, SHOWN + 1, BOX_PARTS, around=one))
    texts = [box_text(space, box, names) for box in shown[:SHOWN]] + (["…"] if len(shown) > SHOWN else [])
    part_of = None if members.cell is None else members.cell.part
    return PacketClass(
        before=ending(settled(before, one), space.family), after=ending(settled(after, one), space.family),
        witness=flow_of(space, one, names), exactness=exactness,
        because=tuple(because[:ASKED]),
        chances=tuple(dict.fromkeys(oracle.text for oracle in drawn))[:ASKED],
        packets=tuple(texts), share=space.share(every), from_outside=opening.satisfiable(),
        only_outside=near is not None and far == among,
        traffic=part_of.traffic if part_of else None, part=part_of.name if part_of else "",
        words=part_of.words if part_of else "", served=part_of is not None and part_of.served,
    )  # fmt: skip


def ending(end: End, family: str = "ip") -> Ending:
    """For people."""
    destination = _address_text(end.destination, family)
    if end.destination_port is not None:
        if ":" in destination:
            destination = f"[{destination}]"
        destination += f":{end.destination_port}"
    source = _address_text(end.source, family)
    return Ending(
        disposition=end.disposition, link=end.link, next_hop=end.hop, destination=destination, source=source,
        reject_kind=end.reject_kind, reason=end.reason or end.doubt,
    )  # fmt: skip


def _address_text(value: Value, family: str) -> str:
    match value:
        case None:
            return ""
        case int():
            return show(value, family)
        case (low, high):
            return show(low, family) if low == high else f"{show(low, family)}-{show(high, family)}"
        case Mapped():
            return f"{show(value.value, family)}/{value.mask.bit_count()}"
        case _:
            assert_never(value)


def settled(end: End, one: dict[Part, int]) -> End:
    """The end as one packet meets it: an address of which bits were set is one."""
    if isinstance(end.destination, Mapped):
        end = replace(end, destination=end.destination.of(one[Part.DESTINATION]))
    if isinstance(end.source, Mapped):
        now = end.source.of(one[Part.SOURCE])
        end = replace(end, source=(now, now))
    return end


def flow_of(space: Space, one: dict[Part, int], names: Sequence[str]) -> Flow:
    """A member as a noun."""
    family = space.family
    protocol = one[Part.PROTOCOL]
    ported = protocol in WITH_PORTS
    local = one[Part.IN_LINK] == 0
    in_port, out_port = (
        space.names[part][one[part]] if part in space.names else "" for part in (Part.IN_PORT, Part.OUT_PORT)
    )
    return Flow(
        family=family,
        protocol=protocol,
        source=show(one[Part.SOURCE], family),
        destination=show(one[Part.DESTINATION], family),
        source_port=one[Part.SOURCE_PORT] if ported else 0,
        destination_port=one[Part.DESTINATION_PORT] if ported else 0,
        icmp_type=one[Part.ICMP_TYPE],
        icmp_code=one[Part.ICMP_CODE],
        tcp_flags=one[Part.TCP_FLAGS],
        hop_limit=one[Part.HOP_LIMIT],
        tos=one[Part.TOS],
        length=one[Part.LENGTH],
        source_mac="" if local else one[Part.SOURCE_MAC].to_bytes(6, "big").hex(":"),
        state=STATES[one[Part.STATE]],
        entry=Entry(
            link="" if local else names[one[Part.IN_LINK]],
            user=one[Part.USER] if local else None,
            bridge_port=in_port,
            to_router=not out_port,
            out_port=out_port,
        ),
    )


BOX_PARTS = (
    Part.STATE, Part.IN_LINK, Part.SOURCE, Part.DESTINATION, Part.PROTOCOL, Part.DESTINATION_PORT, Part.SOURCE_PORT,
)  # fmt: skip


def box_text(space: Space, box: Box, names: Sequence[str]) -> str:
    """`tcp from 10.0.0.0/8 to 10.96.0.10 port 53 in eth0`."""
    words: list[str] = []
    if Part.PROTOCOL in box:
        number, mask = box[Part.PROTOCOL]
        words.append(PROTOCOLS.get(number, f"protocol {number}") if mask == 255 else _masked(number, mask, 8))
    else:
        words.append("any protocol")
    for part, word in ((Part.SOURCE, "from"), (Part.DESTINATION, "to")):
        if part in box:
            value, mask = box[part]
            alone = "/128" if space.family == "ip6" else "/32"
            words.append(f"{word} {show(value, space.family)}/{mask.bit_count()}".removesuffix(alone))
    for part, word in ((Part.SOURCE_PORT, "source port"), (Part.DESTINATION_PORT, "port")):
        if part in box:
            low, mask = box[part]
            high = low | (0xFFFF & ~mask)
            words.append(f"{word} {low}" if low == high else f"{word} {low}-{high}")
    if Part.IN_LINK in box:
        value, mask = box[Part.IN_LINK]
        whole = (1 << len(space.variables[Part.IN_LINK])) - 1
        those = [name or "the node itself" for at, name in enumerate(names) if at & mask & whole == value]
        words.append(f"in {', '.join(those[:4])}{' …' if len(those) > 4 else ''}")
    if Part.STATE in box:
        value, mask = box[Part.STATE]
        words.append(", ".join(name for at, name in enumerate(STATES) if at & mask == value))
    return " ".join(words)


def _masked(value: int, mask: int, width: int) -> str:
    return f"protocols {value}-{value | ((1 << width) - 1 & ~mask)}"


class OpenEnds:
    """Ends that are lost to sight alike on both sides, and yet may differ: a later stage is not the same."""

    def __init__(self, order: Sequence[str], changed: Iterable[str]) -> None:
        places = {stage: at for at, stage in enumerate(order)}
        self._places = places
        self._last = max((places[stage] for stage in changed if stage in places), default=-1)

    def __call__(self, end: End) -> bool:
        """Whether something after it changed."""
        if end.disposition is not Disposition.UNKNOWN or end.at is None:
            return False
        return self._places[end.at.stage] <= self._last

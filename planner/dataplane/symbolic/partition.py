"""Parts of a node's traffic as sets of packets: in order, so that no packet belongs to two."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network

from planner.dataplane.packets.layout import STATES, Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.models.comparison import Loss
from planner.models.traffic import PacketBox, TrafficClass, TrafficPart

TCP, UDP = 6, 17
Key = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[int, int], ...], tuple[str, ...], bool | None]

REST = TrafficPart(name="other", words="other packets", boxes=())
"""What no part holds."""
UNSERVED = TrafficPart(name="unserved", words="packets to addresses and ports that nobody serves", boxes=())
SIZES = TrafficPart(
    name="sizes", words="packets at the end of their hop limit, or longer than a link takes", boxes=()
)
REFUSED = TrafficPart(name="refused", words="packets that are refused before and after", boxes=())


@dataclass(frozen=True, slots=True)
class Cell:
    """One part of the traffic in one space."""

    part: TrafficPart
    packets: PacketSet
    used: PacketSet
    """Those of them that occur, where it is known; else all."""
    example: PacketSet | None = None


class Partition:
    """All parts. Packets that belong to none are in no cell."""

    def __init__(
        self,
        space: Space,
        names: Sequence[str],
        parts: Sequence[TrafficPart],
        near: Sequence[PacketBox] = (),
        every: PacketSet | None = None,
    ) -> None:
        self.space = space
        self.names = names
        self._bits = len(space.variables[Part.DESTINATION])
        self._prefixes: dict[tuple[Part, tuple[str, ...]], PacketSet] = {}
        self.parts = tuple(parts)
        self._near = tuple(near)
        self._every = space.all if every is None else every
        """What can enter at all."""

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """One for each part, without what belongs to an earlier one."""
        found: list[Cell] = []
        taken = self.space.none
        for part in self.parts:
            every = self.set_of(part.boxes) & ~self.set_of(part.without)
            own = every & ~taken
            taken = taken | every
            if own.satisfiable():
                used = own & self.set_of(part.used) if part.used else own
                found.append(Cell(part, own, used, self.set_of([part.example]) if part.example else None))
        return tuple(found)

    @cached_property
    def near(self) -> PacketSet:
        """Packets that no stranger sends."""
        return self.space.equals(Part.IN_LINK, 0) | self.set_of(self._near)

    def split(
        self, where: PacketSet, *, aside: TrafficPart | None = None, served: bool = True
    ) -> list[tuple[Cell, PacketSet]]:
        """Packets by the part that they belong to.

        Nobody cares which one it is of what never arrives anywhere; and who asks for a Service that nobody serves is apart.
        """
        if aside is not None:
            return [(Cell(aside, where, self.space.all), where)]
        found: list[tuple[Cell, PacketSet]] = []
        for cell in self.cells:
            mine = where & cell.packets
            if mine.satisfiable():
                idle = cell.part.served and not served
                found.append((Cell(UNSERVED, mine, self.space.all) if idle else cell, mine))
                where = where & ~mine
                if not where.satisfiable():
                    return found
        found.append((Cell(REST, where, self.space.all), where))
        return found

    def set_of(self, boxes: Iterable[PacketBox]) -> PacketSet:
        """The packets of any of the boxes."""
        # Boxes that differ only in who is asked for share the rest, which is joined once.
        groups: dict[Key, list[PacketSet]] = {}
        for box in boxes:
            asked = self._prefixed(Part.DESTINATION, box.destination)
            asked = asked & self._any(Part.PROTOCOL, [(one, one) for one in box.protocols])
            asked = asked & self._any(Part.DESTINATION_PORT, box.destination_ports)
            key = (box.links, box.source, box.source_ports, box.states, box.across)
            groups.setdefault(key, []).append(asked)
        return self.space.union(
            [self._shared(key) & self.space.union(asked) for key, asked in groups.items()]
        )

    def losses(self, lost: PacketSet, passed: Callable[[PacketSet], PacketSet]) -> tuple[Loss, ...]:
        """What a set of lost packets takes from each part that it meets; `passed` tells which packets passed before."""
        found: list[Loss] = []
        for cell in self.cells:
            gone = lost & cell.packets
            if gone.satisfiable():
                usual = self._usual(cell)
                if cell.part.narrow:
                    usual = [there for those in usual if (there := passed(those)).satisfiable()]
                shares = [self._shares(gone, those) for those in usual]
                certain, possible = max(shares, default=(0.0, 0.0))
                left = [those & ~gone for those in usual if (those & gone).satisfiable()]
                found.append(
                    Loss(
                        part=cell.part.name,
                        family=self.space.family,
                        traffic=cell.part.traffic,
                        certain=certain,
                        possible=max([possible, *(share[1] for share in shares)]),
                        everything=any(not rest.satisfiable() for rest in left),
                        near_left=any((rest & self.near).satisfiable() for rest in left),
                    )
                )
        return tuple(found)

    def _shares(self, gone: PacketSet, usual: PacketSet) -> tuple[float, float]:
        space = self.space
        met = gone & usual
        whole = space.share(usual)
        certain = space.certain(met, space.draws)
        return round(space.share(certain) / whole, 4), round(space.share(met) / whole, 4)

    def _usual(self, cell: Cell) -> list[PacketSet]:
        """Opening packets, and those of open connections, of the protocol that the part is mostly made of."""
        space = self.space
        whole = self._every & space.equals(Part.HOP_LIMIT, 64) & space.equals(Part.LENGTH, 60)
        order = (UDP, TCP) if cell.part.traffic is TrafficClass.DNS else (TCP, UDP)
        used = whole & (cell.used if cell.used.satisfiable() else cell.packets)
        routed = used & space.equals(Part.OUT_PORT, 0)
        used = routed if routed.satisfiable() else used
        for protocol in order:
            those = used & space.equals(Part.PROTOCOL, protocol)
            if those.satisfiable():
                used = those
                break
        states = [used & space.equals(Part.STATE, STATES.index(name)) for name in ("NEW", "ESTABLISHED")]
        return [one for one in states if one.satisfiable()]

    def _shared(self, key: Key) -> PacketSet:
        links, source, source_ports, states, across = key
        found = self._prefixed(Part.SOURCE, source) & self._any(Part.SOURCE_PORT, source_ports)
        if links:
            codes = [self.names.index(name) for name in links if name in self.names]
            found = found & self._any(Part.IN_LINK, [(code, code) for code in codes], empty=False)
        if across is not None:
            routed = self.space.equals(Part.OUT_PORT, 0)
            found = found & (~routed if across else routed)
        if states:
            numbers = [STATES.index(name) for name in states]
            found = found & self._any(Part.STATE, [(number, number) for number in numbers])
        return found

    def _any(self, part: Part, intervals: Sequence[tuple[int, int]], *, empty: bool = True) -> PacketSet:
        if not intervals:
            return self.space.all if empty else self.space.none
        return self.space.inside(part, intervals)

    def _prefixed(self, part: Part, prefixes: tuple[str, ...]) -> PacketSet:
        if not prefixes:
            return self.space.all
        known = self._prefixes.get((part, prefixes))
        if known is None:
            nets = [ip_network(text, strict=False) for text in prefixes]
            known = self.space.union(
                [
                    self.space.prefix(part, int(net.network_address), net.prefixlen)
                    for net in nets
                    if net.max_prefixlen == self._bits
                ]
            )
            self._prefixes[part, prefixes] = known
        return known

"""What becomes of all packets on one node: one state beside itself, its packets grouped by how their way ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.dataplane.packets.layout import STATES, Part
from planner.dataplane.packets.space import BudgetExceededError, OutOfNodes, PacketSet
from planner.dataplane.packets.witness import boxes, witness
from planner.dataplane.symbolic.chains import Budget
from planner.dataplane.symbolic.classes import ASKED, BOX_PARTS, SHOWN, box_text, ending, flow_of, settled
from planner.dataplane.symbolic.compare import Analysis, Hint
from planner.dataplane.symbolic.form import End
from planner.dataplane.symbolic.partition import Partition
from planner.dataplane.symbolic.remembered import Remembered
from planner.dataplane.symbolic.scope import beyond
from planner.dataplane.symbolic.view import net_of, value_of
from planner.models.comparison import Exactness
from planner.models.flow import Disposition
from planner.models.node import NodeState
from planner.models.reach import Heading, PacketGroup, Reach, heading_of
from planner.models.traffic import PacketBox, TrafficPart

SCOPE = (
    "whole unicast packets: those that come by a link that is up, or cross a bridge, and the node's own",
    "packets of known flows as if their flow were not translated; translated ones keep the translation they have",
    "the node's own packets carry an address of the node and no mark of a socket",
    "packets of IPv4 that may not be cut on the way",
)
ODD = "odd"
"""The part of a node's traffic that nobody sends."""
ANYWHERE = frozenset({Disposition.EXPIRED, Disposition.TOO_BIG})
"""What may befall every packet on every node."""


class Reached:
    """The sets of packets of one family of a node, by how their way ends."""

    def __init__(self, state: NodeState, *, family: str = "ip", budget: Budget | None = None) -> None:
        self.analysis = Analysis(state, state, family=family, budget=budget)
        self.space = self.analysis.space
        self.cut = False
        """Whether something was not followed to its end, because it took more than it may."""
        for side in self.analysis.sides:
            side.by_rule = True

    def within(self, box: PacketBox | None) -> PacketSet:
        """The packets of a box; a port of a bridge counts as a link that packets come by."""
        if box is None:
            return self.space.all
        analysis = self.analysis
        sets = Partition(self.space, analysis.names, ())
        bridges = {port: bridge for bridge, ports in analysis.ports.items() for port in ports}
        by_port = [name for name in box.links if name in bridges]
        found = sets.set_of((box,)) if not by_port or len(by_port) < len(box.links) else self.space.none
        for name in by_port:
            came = sets.set_of((box.model_copy(update={"links": (bridges[name],)}),))
            found = found | (came & analysis.views[0].by_port((name,)))
        return found

    def ends(self, where: PacketSet) -> dict[End, PacketSet]:
        """Every packet of the set that enters the node, with its end. What is not told of an end does not part packets."""
        found: dict[End, PacketSet] = {}
        for end, part in self.followed(where).items():
            key = replace(end, tos=None, hop_limit=None, source_ports=None, at=None)
            found[key] = found[key] | part if key in found else part
        return found

    def followed(self, where: PacketSet) -> dict[End, PacketSet]:
        """Likewise, with all that is known of the ends."""
        found: dict[End, PacketSet] = {}
        for order, entry in self.analysis.entries():
            here = where & entry
            if not here.satisfiable():
                continue
            analysis = self.analysis
            together = Remembered(self.space, analysis.constants)
            try:
                ends = analysis.ends(order, here, dispatch=together).items()
            except BudgetExceededError as error:
                text = f"the analysis exceeded its budget: {error}"
                end = End(Disposition.UNKNOWN, doubt=text, reason=text)
                self.cut = True
                found[end] = found[end] | here if end in found else here
                continue
            for (joined, _), every in ends:
                for end, part in together.apart(joined, every):
                    found[end] = found[end] | part if end in found else part
        return found

    def plain(self) -> PacketSet:
        """Packets of usual size; of a bridge's, frames to other ports are to its own networks, and all others to the node."""
        space, view = self.space, self.analysis.views[0]
        inside = []
        for bridge in self.analysis.ports:
            addresses = view.addresses.get(bridge, ())
            nets = [net_of(address.prefix) for address in addresses]
            held = [space.prefix(Part.DESTINATION, net.value, net.length) for net in nets]
            own = [space.equals(Part.DESTINATION, value_of(address.address)) for address in addresses]
            inside.append(view.came_by([bridge]) & space.union(held) & ~space.union(own))
        framed, near = ~space.equals(Part.OUT_PORT, 0), space.union(inside)
        usual = space.equals(Part.HOP_LIMIT, 64) & space.equals(Part.LENGTH, 60)
        known = space.interval(Part.STATE, 0, STATES.index("ESTABLISHED"))
        return usual & known & ((framed & near) | (~framed & ~near))


def reach(
    state: NodeState,
    *,
    within: PacketBox | None = None,
    family: str = "ip",
    parts: Sequence[TrafficPart] = (),
    hints: Sequence[Hint] = (),
    budget: Budget | None = None,
    most: int | None = None,
) -> Reach:
    """All packets of one family, or those of a box, by what becomes of them. `parts` are those that groups are told by.

    Under each heading `most` groups are told, the first ones in order, and the others counted.
    """
    unknown = list(beyond(state, state, family))
    groups: tuple[PacketGroup, ...] = ()
    more: dict[Heading, int] = {}
    unfinished = False
    try:
        reached = Reached(state, family=family, budget=budget)
        telling = _telling(reached, parts, hints)
        ranked = _ranked(reached, reached.within(within), telling)
        shown = {heading: found[:most] for heading, found in ranked.items()}
        more = {
            heading: left for heading, found in ranked.items() if (left := len(found) - len(shown[heading]))
        }
        groups = tuple(_group(reached, *one, telling) for found in shown.values() for one in found)
        unfinished = reached.cut
    except (BudgetExceededError, OutOfNodes) as error:
        unknown.append(f"the analysis exceeded its budget: {error}")
        unfinished = True
    return Reach(
        family=family, within=within, groups=groups, more=more, unknown=tuple(unknown), unfinished=unfinished, scope=SCOPE
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Telling:
    """What packets are told by."""

    partition: Partition
    usual: PacketSet
    """Packets as the node really has them."""
    wishes: tuple[PacketSet, ...]


def _telling(reached: Reached, parts: Sequence[TrafficPart], hints: Sequence[Hint]) -> Telling:
    space = reached.space
    partition = Partition(space, reached.analysis.names, parts)
    plain = reached.plain()
    real = [cell.used for cell in partition.cells if cell.part.traffic is not None or cell.part.used]
    used = plain & space.union(real)
    seen = plain & space.union([cell.packets for cell in partition.cells if cell.part.name != ODD])
    return Telling(partition, used, (used, seen, plain, *reached.analysis.wishes(hints)))


def _ranked(
    reached: Reached, where: PacketSet, telling: Telling
) -> dict[Heading, list[tuple[End, PacketSet]]]:
    """Under each heading first what the node really has, then the largest; what may happen to any packet last."""
    keyed: dict[Heading, list[tuple[tuple[object, ...], End, PacketSet]]] = {one: [] for one in Heading}
    for end, part in reached.ends(where).items():
        usual = (part & telling.usual).satisfiable()
        told = ending(end, reached.space.family)
        key = (
            end.disposition in ANYWHERE, not usual, -reached.space.share(part), str(told), end.rule, told.reason,
            end.by_port,
        )  # fmt: skip
        keyed[heading_of(end.disposition, usual=usual)].append((key, end, part))
    return {
        heading: [(end, part) for _, end, part in sorted(found, key=lambda one: one[0])]
        for heading, found in keyed.items()
    }


def _group(reached: Reached, end: End, where: PacketSet, telling: Telling) -> PacketGroup:
    space, names = reached.space, reached.analysis.names
    asked = space.oracles_of(where)
    open_questions = [oracle for oracle in asked if oracle.chance is None]
    certain = space.certain(where, open_questions)
    exactness = Exactness.EXACT
    if end.disposition is Disposition.UNKNOWN or not certain.satisfiable():
        exactness = Exactness.UNKNOWN
    elif certain != space.possible(where, open_questions):
        exactness = Exactness.OVER_APPROXIMATED
    one = witness(space, certain if certain.satisfiable() else where, telling.wishes)
    because = [end.doubt] if end.doubt else []
    because += [oracle.text for oracle in open_questions]
    shown = list(boxes(space, where, SHOWN + 1, BOX_PARTS, around=one))
    texts = [box_text(space, box, names) for box in shown[:SHOWN]] + (["…"] if len(shown) > SHOWN else [])
    cells = [cell.part for cell in telling.partition.cells if (cell.packets & where).satisfiable()]
    cells.sort(key=lambda part: part.name == ODD)
    return PacketGroup(
        ending=ending(settled(replace(end, reason=end.rule or end.reason), one), space.family),
        witness=flow_of(space, one, names), exactness=exactness,
        because=() if exactness is Exactness.EXACT else tuple(dict.fromkeys(because))[:ASKED],
        chances=tuple(dict.fromkeys(oracle.text for oracle in asked if oracle.chance is not None))[:ASKED],
        packets=tuple(texts), share=space.share(where), usual=(where & telling.usual).satisfiable(),
        traffic=tuple(dict.fromkeys(part.traffic for part in cells if part.traffic is not None)),
        words=tuple(part.words for part in cells),
    )  # fmt: skip

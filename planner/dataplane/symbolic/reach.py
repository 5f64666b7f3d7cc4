"""What becomes of all packets on one node: one state beside itself, its packets grouped by how their way ends."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from planner.dataplane.packets.space import BudgetExceededError, OutOfNodes, PacketSet
from planner.dataplane.packets.witness import boxes, witness
from planner.dataplane.symbolic.chains import Budget
from planner.dataplane.symbolic.classes import ASKED, BOX_PARTS, SHOWN, box_text, ending, flow_of
from planner.dataplane.symbolic.compare import Analysis, Hint
from planner.dataplane.symbolic.form import End
from planner.dataplane.symbolic.partition import Partition
from planner.dataplane.symbolic.scope import beyond
from planner.models.comparison import Exactness
from planner.models.flow import Disposition
from planner.models.node import NodeState
from planner.models.reach import PacketGroup, Reach
from planner.models.traffic import PacketBox, TrafficPart

SCOPE = (
    "whole unicast packets: those that come by a link that is up, or cross a bridge, and the node's own",
    "packets of known flows as if their flow were not translated; translated ones keep the translation they have",
    "the node's own packets carry an address of the node and no mark of a socket",
    "packets of IPv4 that may not be cut on the way",
)


class Reached:
    """The sets of packets of one family of a node, by how their way ends."""

    def __init__(self, state: NodeState, *, family: str = "ip", budget: Budget | None = None) -> None:
        self.analysis = Analysis(state, state, family=family, budget=budget)
        self.space = self.analysis.space

    def within(self, box: PacketBox | None) -> PacketSet:
        """The packets of a box."""
        if box is None:
            return self.space.all
        return Partition(self.space, self.analysis.names, ()).set_of((box,))

    def ends(self, where: PacketSet) -> dict[End, PacketSet]:
        """Every packet of the set that enters the node, with its end. What is not told of an end does not part packets."""
        found: dict[End, PacketSet] = {}
        for order, entry in self.analysis.entries():
            here = where & entry
            if here.satisfiable():
                for (end, _), part in self.analysis.ends(order, here).items():
                    key = replace(end, tos=None, hop_limit=None, source_ports=None, at=None)
                    found[key] = found[key] | part if key in found else part
        return found


def reach(
    state: NodeState,
    *,
    within: PacketBox | None = None,
    family: str = "ip",
    parts: Sequence[TrafficPart] = (),
    hints: Sequence[Hint] = (),
    budget: Budget | None = None,
) -> Reach:
    """All packets of one family, or those of a box, by what becomes of them."""
    unknown = list(beyond(state, state, family))
    groups: tuple[PacketGroup, ...] = ()
    unfinished = False
    try:
        reached = Reached(state, family=family, budget=budget)
        groups = tuple(_groups(reached, reached.within(within), parts, hints))
    except (BudgetExceededError, OutOfNodes) as error:
        unknown.append(f"the analysis exceeded its budget: {error}")
        unfinished = True
    return Reach(
        family=family, within=within, groups=groups, unknown=tuple(unknown), unfinished=unfinished, scope=SCOPE
    )  # fmt: skip


def _groups(
    reached: Reached, where: PacketSet, parts: Sequence[TrafficPart], hints: Sequence[Hint]
) -> Iterator[PacketGroup]:
    """The largest first."""
    space = reached.space
    partition = Partition(space, reached.analysis.names, parts)
    wishes = reached.analysis.wishes(hints)
    used = space.union([cell.used for cell in partition.cells if cell.part.traffic is not None])
    found = [
        _group(reached, end, part, partition, [used, *wishes]) for end, part in reached.ends(where).items()
    ]
    yield from sorted(found, key=lambda one: (-one.share, str(one.ending), str(one.witness)))


def _group(
    reached: Reached, end: End, where: PacketSet, partition: Partition, wishes: Sequence[PacketSet]
) -> PacketGroup:
    space, names = reached.space, reached.analysis.names
    asked = space.oracles_of(where)
    open_questions = [oracle for oracle in asked if oracle.chance is None]
    certain = space.certain(where, open_questions)
    exactness = Exactness.EXACT
    if end.disposition is Disposition.UNKNOWN or not certain.satisfiable():
        exactness = Exactness.UNKNOWN
    elif certain != space.possible(where, open_questions):
        exactness = Exactness.OVER_APPROXIMATED
    one = witness(space, certain if certain.satisfiable() else where, wishes)
    because = [end.doubt] if end.doubt else []
    because += [oracle.text for oracle in open_questions]
    shown = list(boxes(space, where, SHOWN + 1, BOX_PARTS))
    texts = [box_text(space, box, names) for box in shown[:SHOWN]] + (["…"] if len(shown) > SHOWN else [])
    cells = [cell.part for cell in partition.cells if (cell.packets & where).satisfiable()]
    return PacketGroup(
        ending=ending(end, space.family), witness=flow_of(space, one, names), exactness=exactness,
        because=() if exactness is Exactness.EXACT else tuple(dict.fromkeys(because))[:ASKED],
        chances=tuple(dict.fromkeys(oracle.text for oracle in asked if oracle.chance is not None))[:ASKED],
        packets=tuple(texts), share=space.share(where),
        traffic=tuple(dict.fromkeys(part.traffic for part in cells if part.traffic is not None)),
        words=tuple(part.words for part in cells),
    )  # fmt: skip

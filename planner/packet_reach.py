"""What becomes of packets on a node, told by the parts of its traffic and with witnesses that people recognise."""

from planner.dataplane.symbolic.chains import Budget
from planner.dataplane.symbolic.reach import reach
from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.reach import Reach
from planner.models.traffic import PacketBox
from planner.packet_changes import VISITS_A_SECOND, hints_of
from planner.topology.derive import derive_topology
from planner.topology.parts import parts_of

SECONDS = 30.0
"""About so long may one family take."""


def packet_reach(
    state: NodeState,
    cluster: Cluster | None,
    *,
    within: PacketBox | None = None,
    families: tuple[str, ...] = ("ip", "ip6"),
    seconds: float = SECONDS,
    most: int | None = None,
) -> tuple[Reach, ...]:
    """One for each family, with at most so many groups under each heading."""
    topology = derive_topology(state, cluster)
    parts, hints = parts_of(state, topology, cluster), tuple(hints_of(topology))
    return tuple(
        reach(
            state, within=within, family=family, parts=parts, hints=hints,
            budget=Budget(int(seconds * VISITS_A_SECOND)), most=most,
        )
        for family in families
    )  # fmt: skip

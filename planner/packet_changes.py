"""Which packets an outlook treats differently, with witnesses that people of this cluster recognise."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from planner.dataplane.symbolic.chains import Budget
from planner.dataplane.symbolic.compare import Hint, compare
from planner.dataplane.symbolic.scope import SCOPE
from planner.models.cluster import Cluster
from planner.models.comparison import Comparison, NodeComparison
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.proposal import Outlook
from planner.models.topology import Topology
from planner.packet_walks import walked
from planner.topology.derive import derive_topology
from planner.topology.parts import near_of, parts_of

OUTSIDE, OUTSIDE6 = "198.51.100.0/24", "2001:db8::/32"
"""Documentation addresses (RFC 5737 and 3849), for somebody outside whose address is nobody's."""
DNS, TCP, UDP, HTTPS, SSH = 53, 6, 17, 443, 22
VISITS_A_SECOND = 16_000
"""Rules that a comparison looks at in a second, as measured; a budget is counted in rules, so that equal input gives equal answers."""

Sides = tuple[NodeState, NodeState]


@dataclass(slots=True)
class PacketChanges:
    """The comparisons of one outlook, each made when it is asked for, and equal ones once."""

    outlook: Outlook
    topology: Topology
    """Of the node before the change."""
    cluster: Cluster | None = None
    seconds: float = 30.0
    """About so long may one comparison take."""
    _made: list[tuple[Sides, Comparison]] = field(default_factory=list)

    def at(self, horizon: Horizon) -> Comparison:
        """How the states of one horizon differ."""
        sides = self.outlook.before[horizon], self.outlook.after[horizon]
        for known, comparison in self._made:
            if _decides(known[0]) == _decides(sides[0]) and _decides(known[1]) == _decides(sides[1]):
                return comparison
        comparison = self._compared(*sides)
        self._made.append((sides, comparison))
        return comparison

    def told(self, horizons: frozenset[Horizon]) -> Iterator[NodeComparison]:
        """At once, and at each of these later horizons, unless it is the same there."""
        seen: list[Comparison] = []
        for horizon in Horizon:
            if horizon is not Horizon.NOW and horizon not in horizons:
                continue
            comparison = self.at(horizon)
            if not any(comparison is one for one in seen):
                seen.append(comparison)
                # What of the proposal was not understood may do anything: no proof goes beyond it.
                unknown = tuple(dict.fromkeys((*comparison.unknown, *map(str, self.outlook.gaps))))
                told = comparison.model_copy(update={"unknown": unknown})
                yield NodeComparison(node=self.outlook.node, horizon=horizon, comparison=told)

    def _compared(self, before: NodeState, after: NodeState) -> Comparison:
        if _decides(before) == _decides(after):
            return Comparison(scope=SCOPE)
        # What a change tells of pods' ranges counts for the state before it, too.
        later = derive_topology(after, self.cluster)
        found = compare(
            before,
            after,
            hints=tuple(hints_of(self.topology)),
            parts=parts_of(before, self.topology, self.cluster, ranges=later.node_pod_ranges),
            near=near_of(before, self.topology),
            budget=Budget(int(self.seconds * VISITS_A_SECOND)),
        )
        return found.model_copy(
            update={"classes": tuple(walked(before, after, one) for one in found.classes)}
        )


def packet_changes(outlook: Outlook, cluster: Cluster | None = None) -> Comparison:
    """The comparison at once; what of the proposal was not understood makes it incomplete."""
    topology = derive_topology(outlook.before[Horizon.NOW], cluster)
    found = PacketChanges(outlook, topology, cluster).at(Horizon.NOW)
    return found.model_copy(update={"unknown": (*found.unknown, *(str(gap) for gap in outlook.gaps))})


def _decides(state: NodeState) -> tuple[object, ...]:
    """What of a state can decide about a packet."""
    return (
        state.rulesets, state.native, state.ipsets, state.routes, state.policy_rules, state.nexthop_objects,
        state.links, state.sysctls, state.neighbours, state.fdb,
    )  # fmt: skip


def hints_of(topology: Topology) -> Iterator[Hint]:
    """What a witness should look like, the most telling first: a pod that asks DNS, a Service, another pod, the outside."""
    inner = next(iter((*topology.bridges, *topology.pod_links)), "")
    outer = next(iter(topology.uplinks), "")
    for source in topology.node_pod_ranges[:1]:
        for name_server in topology.dns_service[:1]:
            yield Hint(
                source=source, destination=f"{name_server}/32", protocol=UDP, destination_port=DNS, link=inner
            )
        for destination in (*topology.service_ranges[:1], *topology.pod_ranges[:1]):
            yield Hint(source=source, destination=destination, protocol=TCP, link=inner)
        yield Hint(source=source, destination=OUTSIDE, protocol=TCP, destination_port=HTTPS, link=inner)
        yield Hint(source=source, destination=OUTSIDE, link=inner)
    yield Hint(source=OUTSIDE, protocol=TCP, destination_port=SSH, link=outer)
    for port in topology.node_ports[:1]:
        yield Hint(source=OUTSIDE, protocol=TCP, destination_port=port, link=outer)
    yield Hint(source=OUTSIDE, link=outer)
    for source in topology.node_pod_ranges[:1]:
        yield Hint(source=source, link=inner)
    yield Hint(source=OUTSIDE6, link=outer)
    yield Hint(destination=OUTSIDE6)

"""All paths of a node before and after a proposal, at each horizon, and between its steps."""

from collections.abc import Iterator
from functools import lru_cache

from planner.invariants.catalogue import invariant_of, invariants
from planner.invariants.ground import grounds
from planner.invariants.invariant import COMING
from planner.invariants.operator_reaches_node import ELSEWHERE
from planner.invariants.walk import walk
from planner.models.cluster import Cluster
from planner.models.flow import Disposition, Trace
from planner.models.horizon import Horizon
from planner.models.invariant import Holding, Kept, Path, Walked
from planner.models.node import NodeState
from planner.models.proposal import Outlook
from planner.models.topology import Topology
from planner.topology.prefixes import inside

MOVES_PACKETS = (
    "kernel",
    "sysctls",
    "links",
    "routes",
    "policy_rules",
    "nexthop_objects",
    "neighbours",
    "fdb",
    "rulesets",
    "native",
    "ipsets",
    "gaps",
)
"""Fields of a node's state that a packet can meet."""


def paths(
    state: NodeState, topology: Topology, cluster: Cluster | None, *, later: tuple[NodeState, ...] = ()
) -> tuple[Path, ...]:
    """Every path of the node, by invariant and name. `later` are states that may tell whom somebody has in mind."""
    found = {
        path.name: path
        for ground in grounds(state, topology, cluster, later)
        for invariant in invariants()
        for path in invariant.paths(ground)
    }
    return tuple(sorted(found.values(), key=lambda path: (path.flow.family, path.invariant, path.name)))


def kept(outlook: Outlook, topology: Topology, cluster: Cluster | None) -> tuple[Kept, ...]:
    """Every path at each horizon that has states of its own, and those that are shut between two steps."""
    return _kept(_Case(outlook, topology, cluster))


class _Case:
    """Arguments by identity: states are frozen, and too large to compare."""

    def __init__(self, outlook: Outlook, topology: Topology, cluster: Cluster | None) -> None:
        self.outlook = outlook
        self.topology = topology
        self.cluster = cluster

    @property
    def _ids(self) -> tuple[int, int, int]:
        return id(self.outlook), id(self.topology), id(self.cluster)

    def __hash__(self) -> int:
        return hash(self._ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Case) and other._ids == self._ids


@lru_cache(maxsize=4)
def _kept(case: _Case) -> tuple[Kept, ...]:
    outlook = case.outlook
    now = outlook.before[Horizon.NOW]
    later = tuple(outlook.after[horizon] for horizon in (Horizon.NOW, Horizon.REBOOT))
    walker = _Walker(paths(now, case.topology, case.cluster, later=later), case.topology, case.cluster)
    found: list[Kept] = []
    looked: list[tuple[NodeState, NodeState]] = []
    for horizon in Horizon:
        before, after = outlook.before[horizon], outlook.after[horizon]
        if any(same_packets(before, one) and same_packets(after, other) for one, other in looked):
            continue
        looked.append((before, after))
        found += walker.compared(outlook.node, before, after, horizon)
    return (*found, *walker.between(outlook, found))


def same_packets(one: NodeState, other: NodeState) -> bool:
    """Whether no packet can tell them apart."""
    return one is other or all(
        (left := getattr(one, field)) is (right := getattr(other, field)) or left == right
        for field in MOVES_PACKETS
    )


class _Walker:
    """Walks each path once in each state."""

    def __init__(self, all_paths: tuple[Path, ...], topology: Topology, cluster: Cluster | None) -> None:
        self.paths = all_paths
        self.topology = topology
        self.cluster = cluster
        self._walked: list[tuple[NodeState, dict[str, Walked]]] = []
        self._known: dict[int, tuple[NodeState, dict[str, Walked]]] = {}

    def of(self, state: NodeState) -> dict[str, Walked]:
        """What was walked in this state, or one that is the same to packets."""
        if id(state) not in self._known:
            same = next((pair for pair in self._walked if same_packets(pair[0], state)), None)
            if same is None:
                same = state, {}
                self._walked.append(same)
            self._known[id(state)] = state, same[1]
        return self._known[id(state)][1]

    def walked(self, state: NodeState, path: Path) -> Walked:
        """One path in one state."""
        known = self.of(state)
        if path.name not in known:
            known[path.name] = walk(state, path)
        return known[path.name]

    def compared(self, node: str, before: NodeState, after: NodeState, horizon: Horizon) -> Iterator[Kept]:
        """Every path in both states."""
        same = same_packets(before, after)
        told = [path for path in self.paths if not _coming(path) or _arrived(path, after)]
        addressed = before.model_copy(update={"links": after.links, "routes": after.routes})
        first = {path.name: self.walked(addressed if _coming(path) else before, path) for path in told}
        for path in told:
            had = first[path.name]
            has = had if same else refined(path, had, self.walked(after, path), self.topology, self.cluster)
            yield Kept(node=node, path=path, horizon=horizon, before=had, after=has)

    def between(self, outlook: Outlook, ends: list[Kept]) -> Iterator[Kept]:
        """Paths that hold before and at the end, and not after some step: the first such step."""
        last = outlook.after[Horizon.NOW]
        open_ = {
            one.path.name: one
            for one in ends
            if one.horizon is Horizon.NOW
            and {one.before.holding, one.after.holding} == {Holding.HOLDS}
            and not _coming(one.path)
        }
        state = outlook.before[Horizon.NOW]
        for number, stage in enumerate(outlook.stages, start=1):
            if same_packets(state, stage.after):
                continue
            state = stage.after
            if same_packets(state, last) or not open_:
                continue
            for name, one in list(open_.items()):
                has = refined(one.path, one.before, self.walked(state, one.path), self.topology, self.cluster)
                if has.holding is Holding.BROKEN:
                    yield one.model_copy(update={"step": number, "after": has})
                    del open_[name]


def _coming(path: Path) -> bool:
    """Whether it is about an address that the proposal brings."""
    return f"/{COMING}/" in path.name


def _arrived(path: Path, after: NodeState) -> bool:
    """Whether the node has the address at this horizon."""
    ends = {path.flow.source, path.flow.destination}
    return any(held.address in ends for link in after.links for held in link.addresses)


def refined(
    path: Path, before: Walked, after: Walked, topology: Topology, cluster: Cluster | None = None
) -> Walked:
    """What only the comparison tells: a sender that is no longer hidden, another node on the way, networks that rules name."""
    invariant = invariant_of(path.invariant)
    if f"/{ELSEWHERE}/" in path.name and after.holding is Holding.BROKEN is not before.holding:
        reason = f"{after.reason}; whether the operator comes from a network that rules let in is not known"
        return after.model_copy(update={"holding": Holding.UNKNOWN, "reason": reason})
    if after.holding is Holding.HOLDS and cluster is not None:
        strange = misled(before, after, cluster)
        if strange:
            update = {"holding": Holding.BROKEN, "reason": strange, "traces": after.traces[:1]}
            return after.model_copy(update=update)
    if invariant is None or not invariant.outward or after.holding is not Holding.HOLDS:
        return after
    had, has = _source(before), _source(after)
    if has and inside(has, topology.pod_ranges) and had and not inside(had, topology.pod_ranges):
        reason = f"it leaves as {has} and no longer as {had}: nobody outside knows the way back"
        return after.model_copy(
            update={
                "holding": Holding.BROKEN,
                "reason": reason,
                "answering": True,
                "traces": after.traces[:1],
            }
        )
    return after


def misled(before: Walked, after: Walked, cluster: Cluster) -> str:
    """Why a packet to a pod now comes to a node that has not got it; empty when it does not."""
    had, has = (_sent(walked) for walked in (before, after))
    if has is None or has.after is None or (had is not None and had.next_hop == has.next_hop):
        return ""
    holder = next((node for node in cluster.nodes if has.next_hop in node.addresses), None)
    if holder is None or inside(has.after.destination, holder.pod_cidrs):
        # A router may know where the pods are; only of a node is it known whose it has.
        return ""
    owner = next((node for node in cluster.nodes if inside(has.after.destination, node.pod_cidrs)), None)
    if owner is None:
        return ""
    return (
        f"it leaves to {has.next_hop}, which is {holder.name}, and {has.after.destination} is on {owner.name}"
    )


def _sent(walked: Walked) -> Trace | None:
    first = walked.traces[0] if walked.traces else None
    return first if first is not None and first.disposition is Disposition.SENT else None


def _source(walked: Walked) -> str:
    after = walked.traces[0].after if walked.traces else None
    return after.source if after is not None else ""

"""A found state against the predicted one: what is in place, what is missing, what is somebody else's."""

from collections.abc import Iterator

from planner.changes import names_of
from planner.diff.nodes import comparison_gaps, diff_nodes
from planner.invariants.check import paths, refined
from planner.invariants.walk import walk
from planner.models.change import (
    Change,
    ForwardingChange,
    LinkChange,
    NeighbourChange,
    RouteChange,
    RuleChange,
)
from planner.models.cluster import Cluster
from planner.models.horizon import Horizon
from planner.models.invariant import Holding, Kept
from planner.models.node import NodeState
from planner.models.verification import Standing, Verification
from planner.topology.derive import derive_topology


def verify(
    before: NodeState, predicted: NodeState, found: NodeState, *, cluster: Cluster | None = None
) -> Verification:
    """Three states of one node: recorded before the change, predicted after it, and found."""
    found = found.model_copy(update={"name": before.name})
    planned = {_thing(change): change for change in diff_nodes(before, predicted)}
    undone = {_thing(change) for change in diff_nodes(before, found)}
    missing: dict[str, Change] = {}
    different: list[Change] = []
    foreign: list[Change] = []
    pods: list[Change] = []
    moved = _pod_links(predicted) ^ _pod_links(found)
    for change in diff_nodes(predicted, found):
        thing = _thing(change)
        if thing not in planned:
            (pods if _links(change) and _links(change) <= moved else foreign).append(change)
        elif thing not in undone:
            missing[thing] = planned[thing]
        else:
            different.append(change)
    kept = tuple(_walked(before, predicted, found, cluster))
    verification = Verification(
        node=before.name,
        standing=Standing.APPLIED,
        planned=len(planned),
        missing=tuple(missing.values()),
        different=tuple(different),
        foreign=tuple(foreign),
        pods=tuple(pods),
        paths=tuple(one for one in kept if _tells(one)),
        holding=sum(one.after.holding is Holding.HOLDS for one in kept),
        gaps=comparison_gaps(predicted, found),
    )
    return verification.model_copy(update={"standing": _standing(verification)})


def _pod_links(state: NodeState) -> frozenset[str]:
    """Links that lead into another namespace and carry no address that routers know: those of pods, which come and go."""
    return frozenset(
        link.name
        for link in state.links
        if link.peer_elsewhere and not any(address.scope == "global" for address in link.addresses)
    )


def _links(change: Change) -> frozenset[str]:
    """The links that a change is about; none where it is about something else."""
    match change:
        case LinkChange(link=link):
            return frozenset({link})
        case NeighbourChange(before=before, after=after) | ForwardingChange(before=before, after=after):
            return frozenset(entry.link for entry in (before, after) if entry is not None)
        case RouteChange(before=before, after=after):
            routes = [route for route in (before, after) if route is not None]
            return frozenset(hop.link for route in routes for hop in route.nexthops)
        case _:
            return frozenset()


def _standing(verification: Verification) -> Standing:
    if verification.as_predicted:
        return Standing.APPLIED
    gone = len(verification.missing)
    if gone and gone == verification.planned and not verification.different:
        return Standing.NOT_APPLIED
    if gone or verification.different:
        return Standing.PARTLY
    return Standing.OTHERWISE


def _thing(change: Change) -> str:
    """What a change is about, the same for every change of that thing."""
    name = names_of(change)[0] if names_of(change) else change.model_dump_json()
    if isinstance(change, RuleChange):
        return name
    return f"{change.kind} {name}"


def _walked(
    before: NodeState, predicted: NodeState, found: NodeState, cluster: Cluster | None
) -> Iterator[Kept]:
    """Every path of the node, in the predicted state and in the found one."""
    topology = derive_topology(before, cluster)
    for path in paths(before, topology, cluster, later=(predicted,)):
        first = walk(before, path)
        yield Kept(
            node=before.name,
            path=path,
            horizon=Horizon.NOW,
            before=refined(path, first, walk(predicted, path), topology, cluster),
            after=refined(path, first, walk(found, path), topology, cluster),
        )


def _tells(kept: Kept) -> bool:
    """Whether a reader wants to see it: it does not hold, or was not expected to."""
    return not kept.after.holding is kept.before.holding is Holding.HOLDS

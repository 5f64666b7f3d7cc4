"""A found state against the predicted one: what is in place, what is missing, what is somebody else's."""

from collections.abc import Iterator
from ipaddress import ip_network

from planner.changes import names_of
from planner.diff.nodes import comparison_gaps, diff_nodes
from planner.diff.unsaid import is_unsaid
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
from planner.models.link import Address
from planner.models.node import NodeState
from planner.models.verification import Standing, Verification
from planner.topology.derive import derive_topology

HOST = {"ip": "/32", "ip6": "/128"}
"""How the prefix of a single address ends."""


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
    moved = _pod_links(predicted, found)
    apart = diff_nodes(predicted, found)
    for change in apart:
        thing = _thing(change)
        if thing not in planned:
            if not is_unsaid(change, before, predicted) and not _comes_late(change, predicted, found):
                (pods if _of_pods(change, moved) else foreign).append(change)
        elif thing not in undone:
            missing[thing] = planned[thing]
        else:
            different.append(change)
    gaps = comparison_gaps(predicted, found)
    # What differs neither from before nor from what was predicted, which are not the same, was not read.
    looked_at = undone | {_thing(change) for change in apart}
    unread = [one for thing, one in planned.items() if thing not in looked_at] if gaps else []
    kept = tuple(_walked(before, predicted, found, cluster))
    verification = Verification(
        node=before.name,
        standing=Standing.APPLIED,
        planned=len(planned),
        missing=tuple(missing.values()),
        different=tuple(different),
        unread=tuple(unread),
        foreign=tuple(foreign),
        pods=tuple(pods),
        paths=tuple(one for one in kept if _tells(one)),
        holding=sum(one.after.holding is Holding.HOLDS for one in kept),
        gaps=gaps,
    )
    return verification.model_copy(update={"standing": _standing(verification)})


def _pod_links(predicted: NodeState, found: NodeState) -> frozenset[str]:
    """Links that came or went, lead into another namespace and carry no address that routers know: those of pods.

    A link that is there both times is none of them, whatever it has lost: a node in a container has an uplink of that kind.
    """
    names = {link.name for link in predicted.links} ^ {link.name for link in found.links}
    return frozenset(
        link.name
        for link in (*predicted.links, *found.links)
        if link.name in names
        and link.peer_elsewhere
        and not any(address.scope == "global" for address in link.addresses)
    )


def _of_pods(change: Change, moved: frozenset[str]) -> bool:
    """Whether it lies on links of pods only; of routes, those to one address and those that the kernel makes by itself."""
    links = _links(change)
    if not links or not links <= moved:
        return False
    if not isinstance(change, RouteChange):
        return True
    routes = [route for route in (change.before, change.after) if route is not None]
    return all(route.protocol == "kernel" or route.prefix.endswith(HOST[route.family]) for route in routes)


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


def _comes_late(change: Change, predicted: NodeState, found: NodeState) -> bool:
    """Whether it is a route that the kernel makes of an address which both have, once nobody else has answered for it.

    The plan's snapshot was taken before that (net/ipv6/addrconf.c, addrconf_dad_completed, addrconf_join_anycast).
    """
    if not isinstance(change, RouteChange) or change.before is not None or change.after is None:
        return False
    route = change.after
    if (route.family, route.protocol) != ("ip6", "kernel") or route.type not in {"local", "anycast"}:
        return False
    return any(
        route.prefix in {f"{address.address}/128", f"{_first_of(address)}/128"}
        for hop in route.nexthops
        for address in _held(predicted, hop.link) & _held(found, hop.link)
    )


def _held(state: NodeState, name: str) -> frozenset[Address]:
    link = state.link(name)
    return frozenset(link.addresses if link is not None else ())


def _first_of(address: Address) -> str:
    """The address of all routers of the subnet (RFC 4291, 2.6.1)."""
    return str(ip_network(address.prefix, strict=False).network_address)


def _standing(verification: Verification) -> Standing:
    if verification.as_predicted:
        return Standing.APPLIED
    gone, unread = len(verification.missing), len(verification.unread)
    if gone and gone + unread == verification.planned and not verification.different:
        return Standing.NOT_APPLIED
    if gone or verification.different:
        return Standing.PARTLY
    return Standing.OTHERWISE if verification.foreign else Standing.UNREAD


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

"""The way to other nodes' pods goes.

## Why it matters

Without overlay agents that repair them, routes to other nodes' pod subnets are the only way there. Packets then follow
the default route and are lost at a router that does not know pods, or meet a blackhole of the same block.

## When it bites

At once. A link that is taken down and up loses all routes that only the CNI agent had added.

## How to undo

Add the routes again from the snapshot, or restart the agent that wrote them.

## How to check

`ip route get <an address of a pod on another node>`.
"""

from collections.abc import Iterator

from planner.dataplane.lookup import Way
from planner.models.change import RouteChange
from planner.models.finding import Extent, Finding
from planner.models.route import MAIN, Route
from planner.models.traffic import TrafficClass
from planner.risks.people import counted, pods
from planner.risks.risk import Review, Risk
from planner.risks.routes.prefixes import first_address, is_own, is_pods, owner, prefix, route_changes
from planner.risks.routes.senders import pod_senders

_CROSS = (TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE)


def judge(change: RouteChange, review: Review) -> Iterator[Finding]:
    """Whether packets to the subnet now go elsewhere, and whether somebody lives there."""
    if not lost(change, review):
        return
    siblings = [item for item in route_changes(review.changes, change.horizon) if lost(item, review)]
    left = [
        route
        for route in review.after.routes
        if route.table == MAIN
        and route.type == "unicast"
        and prefix(route.prefix).prefixlen > 0
        and is_pods(route.prefix, review)
        and not is_own(route.prefix, review)
        and _leads(route, review)
    ]
    address = first_address(change.route.prefix)
    goes = next(after for before, after in _ways(review, address) if before.hops != after.hops)
    names = [found[0] for item in siblings if (found := owner(item.route.prefix, review))]
    where = f" ({', '.join(sorted(set(names))[:3])})" if names else ""
    total = not left and len(siblings) > 0
    # A route to one address is one pod's; a route to a subnet is a node's.
    single = prefix(change.route.prefix).num_addresses == 1
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{pods(review)} lose the way to {counted(len(siblings), 'pod subnet')} of other nodes{where}: "
            f"packets there now meet {goes}."
        ),
        breaks=_CROSS if single else (*_CROSS, TrafficClass.DNS),
        extent=Extent.TOTAL if total else Extent.PARTIAL,
        onset=change.horizon,
        undo="The routes are in the snapshot; the agent that wrote them does not look after them while it runs.",
        remedy="Restart the CNI agent in the same step and wait for its routes.",
    )


def lost(change: RouteChange, review: Review) -> bool:
    """Whether a unicast route to another node's pods went and nothing carries its packets the same way."""
    before = change.before
    if change.after is not None or before is None or before.type != "unicast" or before.table != MAIN:
        return False
    if (
        before.is_default
        or not is_pods(before.prefix, review)
        or (is_own(before.prefix, review) and not _borrowed(change, review))
    ):
        return False
    nodes = review.cluster.nodes if review.cluster else ()
    if any(node.pod_cidrs for node in nodes) and owner(before.prefix, review) is None:
        return False
    ways = _ways(review, first_address(before.prefix))
    return any(was.leads and was.hops != now.hops for was, now in ways)


def _ways(review: Review, address: str) -> list[tuple[Way, Way]]:
    """Of each pod's packets to the address, before and after."""
    family = "ip6" if ":" in address else "ip"
    return [
        (sender.way(review.before, address), sender.way(review.after, address))
        for sender in pod_senders(review, family)
    ]


def _leads(route: Route, review: Review) -> bool:
    """Whether packets of pods take this very route."""
    address = first_address(route.prefix)
    return any(
        sender.way(review.after, address).route == route for sender in pod_senders(review, route.family)
    )


def _borrowed(change: RouteChange, review: Review) -> bool:
    """One address of this node's block that lives on another node, and would now meet the block's blackhole."""
    before = change.before
    if (
        before is None
        or prefix(before.prefix).num_addresses > 1
        or not any(hop.via for hop in before.nexthops)
    ):
        return False
    return any(now.discards for _, now in _ways(review, first_address(before.prefix)))


RISK = Risk[RouteChange](
    id="pod-route-lost",
    title="The way to other nodes' pods goes",
    on=(RouteChange,),
    judge=judge,
    sources=(
        "Linux, net/ipv4/fib_frontend.c, fib_disable_ip",
        "flannel, Documentation/backends.md, host-gw",
        "Calico documentation, IP pools and borrowed addresses",
    ),
    verify="ip route | grep via",
    once=True,
)

"""A written neighbour or forwarding entry leads somewhere else.

## Why it matters

A permanent entry is never asked for again. With a wrong hardware address frames go to nobody, while routes and rules look
right. In an overlay that learns nothing (flannel's vxlan) these entries are the map of the other nodes.

## When it bites

At once, for everything that is sent over that next hop.

## How to undo

Write the former entry, or delete the new one so that the neighbour is asked for again; the plan does.

## How to check

`ip neigh show nud permanent; bridge fdb show`, and `ip route get` for what goes over that next hop.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from planner.dataplane.beneath import asked_for, same
from planner.models.change import ForwardingChange, NeighbourChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.link import ForwardingEntry, Neighbour
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.packets.telling import about
from planner.risks.risk import Review, Risk

Written = NeighbourChange | ForwardingChange
OVERLAY = (TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS)
GATEWAY = (
    TrafficClass.HOST_EGRESS,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.NODE_MANAGEMENT,
    TrafficClass.NODE_TO_APISERVER,
)
EVERYWHERE = frozenset({"default", "0.0.0.0/0", "::/0"})


def judge(change: Written, review: Review) -> Iterator[Finding]:
    """Whether packets are sent over the entry, and whether it leads where it led."""
    if about(review.said, (change,)):
        return
    if isinstance(change, NeighbourChange):
        yield from _neighbour(change, review)
    else:
        yield from _forwarding(change, review)


def _neighbour(change: NeighbourChange, review: Review) -> Iterator[Finding]:
    one = change.after or change.before
    if one is None or one.proxy:
        return
    link = next((link for link in review.before.links if link.name == one.link), None)
    was = _known(review.before, one)
    if link is None or not any(other.name == one.link for other in review.after.links):
        return
    over = _over(review.after, one)
    overlay = one.link in review.topology.overlay_links or not asked_for(link)
    if change.after is None:
        if asked_for(link) or not over:
            return
        message = f"On {change.node} nobody is found behind {one.address} on {one.link}, the next hop of {_listed(over)}."
        yield _finding(change, message, OVERLAY, Extent.PARTIAL)
        return
    if same(was, change.after) or (was is None and not asked_for(link)):
        return
    if overlay and not _led(review.after, change.after):
        message = (
            f"On {change.node} frames to {one.address} on {one.link} go to {one.mac}, for which no tunnel end is written"
            f"{f': {_listed(over)} is not reached' if over else ''}."
        )
        yield _finding(change, message, OVERLAY, Extent.PARTIAL)
        return
    former = f" instead of {was.mac}" if was is not None else ", as is written now"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"On {change.node} frames to {one.address} on {one.link} go to {change.after.mac or 'nobody'}{former}"
            f"{f'; it is the next hop of {_listed(over)}' if over else ''}. Whose address that is the snapshot does not tell."
        ),
        breaks=OVERLAY if overlay else GATEWAY if over & EVERYWHERE else (),
        extent=Extent.TOTAL if was is not None and over & EVERYWHERE else Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.UNKNOWN,
        unknown_because=f"whose hardware address {change.after.mac or 'none'} is",
        remedy="Compare it with what the neighbour says of itself (`ip link show` there, or `arping`), and try it on one node first.",
    )


def _forwarding(change: ForwardingChange, review: Review) -> Iterator[Finding]:
    was, now = change.before, change.after
    if was is None or not was.destination or (now is not None and now.destination == was.destination):
        return
    used = [
        one
        for one in review.after.neighbours
        if one.link == was.link and one.mac.lower() == was.mac.lower() and _over(review.after, one)
    ]
    if not used:
        return
    over = frozenset[str]().union(*(_over(review.after, one) for one in used))
    where = f"{now.destination} instead of {was.destination}" if now is not None else "no tunnel end any more"
    message = f"On {change.node} frames to {was.mac} on {was.link} go to {where}; packets to {_listed(over)} are sent there."
    if now is not None and _node_address(review, now):
        return
    yield _finding(change, message, OVERLAY, Extent.PARTIAL)


def _finding(change: Written, message: str, breaks: tuple[TrafficClass, ...], extent: Extent) -> Finding:
    return Finding(
        risk=RISK.id,
        change=change,
        message=message,
        breaks=breaks,
        extent=extent,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy="Leave these entries to the overlay's agent, or write all that belong together in one step.",
    )


def _known(state: NodeState, one: Neighbour) -> Neighbour | None:
    return next(
        (
            other
            for other in state.neighbours
            if (other.link, other.address) == (one.link, one.address) and other.mac and not other.proxy
        ),
        None,
    )


def _over(state: NodeState, one: Neighbour) -> frozenset[str]:
    """Prefixes whose packets are sent to that neighbour."""
    return frozenset(
        route.prefix
        for route in state.routes
        for hop in route.nexthops
        if hop.link == one.link and hop.via and _alike(hop.via, one.address)
    )


def _alike(one: str, other: str) -> bool:
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return False


def _led(state: NodeState, one: Neighbour) -> bool:
    """Whether the overlay's device knows a tunnel end for the address."""
    return any(
        entry.link == one.link and entry.mac.lower() == one.mac.lower() and entry.destination
        for entry in state.fdb
    )


def _node_address(review: Review, entry: ForwardingEntry) -> bool:
    """Whether the tunnel end is a node of the cluster: a node that got another address is no mistake."""
    return any(
        entry.destination in node.addresses for node in (review.cluster.nodes if review.cluster else ())
    )


def _listed(prefixes: frozenset[str]) -> str:
    shown = sorted(prefixes, key=_order)[:3]
    more = len(prefixes) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _order(prefix: str) -> tuple[int, str]:
    return (0, prefix) if prefix in EVERYWHERE else (ip_network(prefix, strict=False).version, prefix)


RISK = Risk[Written](
    id="neighbour-rewritten",
    title="A written neighbour leads somewhere else",
    on=(NeighbourChange, ForwardingChange),
    judge=judge,
    sources=(
        "Linux, net/core/neighbour.c: NUD_PERMANENT; drivers/net/vxlan/vxlan_core.c, vxlan_find_mac()",
        "flannel, Documentation/backends.md: vxlan",
    ),
    verify="ip neigh show nud permanent; bridge fdb show",
    last=1,
)

"""The default route takes another gateway or another link.

## Why it matters

What leaves the node goes another way and may get another source address when it is masqueraded. Agents that bind their
tunnel to the link of the default route (flannel without --iface, calico with first-found) move to it when they restart,
to addresses that other nodes may not reach.

## When it bites

At once for what leaves the node; for the overlay when its agent restarts.

## How to undo

Replace the route by the former one; connections that were opened through the other link break again.

## How to check

`ip route get 192.0.2.1` prints gateway, link and source.
"""

from collections.abc import Iterator

from planner.dataplane.lookup import outside
from planner.models.change import RouteChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.route import MAIN
from planner.models.topology import Overlay
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.routes.senders import HOST, pod_senders

_FOLLOWS = frozenset({Overlay.FLANNEL_VXLAN, Overlay.FLANNEL_UDP, Overlay.FLANNEL_HOST_GW})


def judge(change: RouteChange, review: Review) -> Iterator[Finding]:
    """The way to the outside before against the way after; a default that is not the best changes nothing."""
    if not change.route.is_default or change.route.table != MAIN:
        return
    family = change.route.family
    world = outside(family, review.before, review.after)
    moved = [
        (before, after)
        for sender in (HOST, *pod_senders(review, family))
        if (before := sender.way(review.before, world)).leads
        and (after := sender.way(review.after, world)).leads
        and before.hops != after.hops
    ]
    if not moved:
        return
    before, after = moved[0]
    told = f"The default route of {change.node} goes {after} instead of {before}"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{told}: what leaves the node takes another way, and open connections through it may break.",
        breaks=(TrafficClass.HOST_EGRESS, TrafficClass.POD_TO_EXTERNAL),
        extent=Extent.PARTIAL,
        side_effects=("source-ip-lost",),
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        reversibility=Reversibility.WITH_LOSS,
        undo="Connections that were opened in between break.",
        remedy="Ping the new gateway from the node, and the outside through it, before the roll-out.",
    )
    links = {hop.link for hop in after.legs}
    if (
        {hop.link for hop in before.legs} != links
        and review.topology.overlay in _FOLLOWS
        and not _pinned(review.after)
    ):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"flannel on {change.node} follows the default route: at its next restart it announces an address of "
                f"{', '.join(sorted(links))}, and {pods(review)} are not reached from nodes that cannot reach that."
            ),
            breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
            extent=Extent.PARTIAL,
            onset=max(change.horizon, Horizon.SERVICE_RESTART),
            confidence=Confidence.LIKELY,
            reversibility=Reversibility.WITH_LOSS,
            undo="flannel must restart once more.",
            remedy="Start flannel with --iface.",
        )


def _pinned(state: NodeState) -> bool:
    """Whether a file of the snapshot starts the agent with a fixed link."""
    return any("--iface" in file.text or "flannel-iface" in file.text for file in state.files.values())


RISK = Risk[RouteChange](
    id="default-route-moved",
    title="The default route takes another way",
    on=(RouteChange,),
    judge=judge,
    sources=(
        "flannel, Documentation/configuration.md, --iface",
        "Linux, net/ipv4/fib_trie.c, fib_table_lookup",
    ),
    verify="ip route get 192.0.2.1",
    once=True,
)

"""The node has no default route any more.

## Why it matters

Everything that is not on a connected subnet has no way: the outside for pods and host, an API server or an operator
elsewhere. Pods whose gateway is answered by proxy ARP lose even their neighbours, because the kernel answers only for
addresses that it can route.

## When it bites

At once.

## How to undo

Add the route again, from the console when the operator is not on a connected subnet.

## How to check

`ip route get 192.0.2.1`.
"""

from collections.abc import Iterator

from planner.models.change import RouteChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.route import MAIN
from planner.models.topology import Overlay, PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.routes.lookup import DISCARDS, lookup

_PROXY_ARP = frozenset({Overlay.CALICO_BGP, Overlay.CALICO_IPIP, Overlay.CALICO_VXLAN, Overlay.ROMANA})


def judge(change: RouteChange, review: Review) -> Iterator[Finding]:
    """Whether the best default was a way and there is none now, and what else then fails."""
    route = change.route
    if not route.is_default or route.table != MAIN:
        return
    anywhere = route.prefix.split("/")[0]
    before = _default(review, after=False, anywhere=anywhere)
    after = _default(review, after=True, anywhere=anywhere)
    if not before or after:
        return
    api = review.topology.api_servers
    breaks = [TrafficClass.HOST_EGRESS, TrafficClass.POD_TO_EXTERNAL, TrafficClass.NODE_MANAGEMENT]
    lost = [server for server in api if (":" in server) == (":" in anywhere) and not _reached(review, server)]
    if lost or not api:
        breaks.append(TrafficClass.NODE_TO_APISERVER)
    breaks.append(TrafficClass.DNS)
    if review.topology.attachment is PodAttachment.ROUTED and review.topology.overlay in _PROXY_ARP:
        breaks += [
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.POD_TO_POD_SAME_NODE,
            TrafficClass.POD_TO_SERVICE,
        ]
    family = "IPv6" if ":" in anywhere else "IPv4"
    who = f"{pods(review)} and the host" if review.topology.pods != 0 else "programs of the host"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.node} has no {family} default route any more: {who} reach nothing beyond the "
            f"connected subnets{f', nor the API server at {lost[0]}' if lost else ''}; an operator elsewhere loses the node."
        ),
        breaks=tuple(breaks),
        extent=Extent.TOTAL,
        cuts_undo=True,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="It may need the console.",
        remedy="Replace the route in one command (`ip route replace`) instead of deleting it first.",
    )


def _default(review: Review, *, after: bool, anywhere: str) -> bool:
    state = review.after if after else review.before
    return any(
        route.table == MAIN
        and route.is_default
        and route.prefix.startswith(anywhere)
        and route.type not in DISCARDS
        for route in state.routes
    )


def _reached(review: Review, server: str) -> bool:
    try:
        route = lookup(review.after, server)
    except ValueError:
        return False
    return route is not None and route.type not in DISCARDS


RISK = Risk[RouteChange](
    id="default-route-lost",
    title="The default route goes",
    on=(RouteChange,),
    judge=judge,
    sources=(
        "Linux, net/ipv4/arp.c, arp_process (proxy ARP asks the routing table)",
        "Linux, net/ipv4/fib_trie.c",
    ),
    verify="ip route show default",
    once=True,
)

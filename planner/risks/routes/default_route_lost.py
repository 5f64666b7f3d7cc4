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

from planner.dataplane.lookup import outside
from planner.models.change import RouteChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.route import MAIN
from planner.models.topology import Overlay, PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.routes.senders import HOST, Sender, pod_senders

_PROXY_ARP = frozenset({Overlay.CALICO_BGP, Overlay.CALICO_IPIP, Overlay.CALICO_VXLAN, Overlay.ROMANA})


def judge(change: RouteChange, review: Review) -> Iterator[Finding]:
    """Whether packets to the outside had a way and have none now, and what else then fails."""
    route = change.route
    if not route.is_default or route.table != MAIN:
        return
    anywhere = route.prefix.split("/")[0]
    world = outside(route.family, review.before, review.after)
    host = _loses(HOST, world, review)
    hit = any(_loses(sender, world, review) for sender in pod_senders(review, route.family))
    if not host and not hit:
        return
    api = review.topology.api_servers
    breaks = [TrafficClass.HOST_EGRESS] if host else []
    breaks += [TrafficClass.POD_TO_EXTERNAL] if hit else []
    breaks += [TrafficClass.NODE_MANAGEMENT] if host else []
    lost = [server for server in api if (":" in server) == (":" in anywhere) and not _reached(review, server)]
    if host and (lost or not api):
        breaks.append(TrafficClass.NODE_TO_APISERVER)
    breaks.append(TrafficClass.DNS)
    if hit and review.topology.attachment is PodAttachment.ROUTED and review.topology.overlay in _PROXY_ARP:
        breaks += [
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.POD_TO_POD_SAME_NODE,
            TrafficClass.POD_TO_SERVICE,
        ]
    family = "IPv6" if ":" in anywhere else "IPv4"
    who = f"{pods(review)} and the host" if hit and review.topology.pods != 0 else "programs of the host"
    if not host:
        who = pods(review)
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.node} has no {family} default route any more: {who} reach nothing beyond the "
            f"connected subnets{f', nor the API server at {lost[0]}' if lost else ''}"
            f"{'; an operator elsewhere loses the node.' if host else '.'}"
        ),
        breaks=tuple(breaks),
        extent=Extent.TOTAL,
        cuts_undo=host,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="It may need the console.",
        remedy="Replace the route in one command (`ip route replace`) instead of deleting it first.",
    )


def _loses(sender: Sender, world: str, review: Review) -> bool:
    """Whether its packets to the outside had a way and have none."""
    return sender.way(review.before, world).leads and not sender.way(review.after, world).leads


def _reached(review: Review, server: str) -> bool:
    try:
        return HOST.way(review.after, server).leads
    except ValueError:
        return False


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

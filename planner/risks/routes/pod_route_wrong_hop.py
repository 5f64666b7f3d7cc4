"""Packets for another node's pods are sent to a node that does not own them.

## Why it matters

A route to a pod subnet must lead to the node that the cluster gave it to. A map that was not updated when a subnet moved
sends the packets to a node that drops them or sends them round in a loop.

## When it bites

At once.

## How to undo

Restore the former route.

## How to check

`kubectl get nodes -o custom-columns=N:.metadata.name,P:.spec.podCIDR,A:.status.addresses[0].address` against `ip route`.
"""

from collections.abc import Iterator

from planner.models.change import RouteChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.route import MAIN
from planner.models.topology import Overlay
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.routes.prefixes import first_address, is_own, is_pods, owner, prefix, within
from planner.risks.routes.senders import pod_senders

_DIRECT = frozenset(
    {Overlay.FLANNEL_HOST_GW, Overlay.CALICO_BGP, Overlay.HOST_ROUTES, Overlay.KUBE_ROUTER, Overlay.UNKNOWN}
)


def judge(change: RouteChange, review: Review) -> Iterator[Finding]:
    """The gateway that packets get against the owner's addresses or, without a cluster, against the former one."""
    after = change.after
    if after is None or after.table != MAIN or after.type != "unicast" or prefix(after.prefix).prefixlen == 0:
        return
    if not is_pods(after.prefix, review) or is_own(after.prefix, review):
        return
    address = first_address(after.prefix)
    ways = [
        (used, was)
        for sender in pod_senders(review, after.family)
        if (used := sender.way(review.after, address)).leads
        and used.hops != (was := sender.way(review.before, address)).hops
    ]
    if not ways:
        return
    used, was = ways[0]
    gateways = {hop.via for hop in used.legs if hop.via}
    # A vxlan route's gateway is the peer's tunnel address, the first of the very subnet.
    if gateways and all(
        within(f"{gateway}/{prefix(after.prefix).max_prefixlen}", after.prefix) for gateway in gateways
    ):
        return
    found = owner(after.prefix, review)
    if found is not None:
        name, addresses = found
        if not gateways or gateways <= addresses or review.topology.overlay not in _DIRECT:
            return
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{change.node} sends packets for {after.prefix} {used}, and these are the pods of {name} "
                f"({', '.join(sorted(addresses))}): {pods(review)} do not reach them."
            ),
            breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            remedy=f"Route {after.prefix} via an address of {name}.",
        )
    elif was.route is not None and was.route.prefix == after.prefix:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{change.node} sends packets for the pods in {after.prefix} {used} instead of {was}.",
            breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            confidence=Confidence.LIKELY,
            remedy="Compare with the node that holds this range.",
        )


RISK = Risk[RouteChange](
    id="pod-route-wrong-hop",
    title="Pod packets go to the wrong node",
    on=(RouteChange,),
    judge=judge,
    sources=("flannel, Documentation/backends.md, host-gw; measured with a stale route in a namespace",),
    verify="ip route | grep via",
)

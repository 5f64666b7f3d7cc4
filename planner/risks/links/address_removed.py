"""An address that the node or its pods are reached at is taken away.

## Why it matters

The kernel removes the address's connected route and every route that used it as source. The node's own address is where
the operator, the API server and other nodes' tunnels find it; the bridge's address is the pods' gateway.

## When it bites

At once.

## How to undo

Add the address again with the same length and scope; routes that went with it have to be added too.

## How to check

`ip -br addr`.
"""

from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import families, global_ipv6, has_default

_SAME, _CROSS, _SERVICE, _OUT, _DNS = (
    TrafficClass.POD_TO_POD_SAME_NODE,
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.DNS,
)


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """Whose address it is: the node's, the pod bridge's, or another one of an uplink."""
    if not change.field.startswith("address") or not change.before or change.after:
        return
    address = change.before.split()[0].split("/")[0]
    if any(item.address == address for link in review.after.links for item in link.addresses):
        return
    base = Finding(
        risk=RISK.id,
        change=change,
        message="",
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="Routes that went with the address have to be added again.",
    )
    if _link_local(address) and not _routes_ipv6(review):
        if change.link in {*review.topology.bridges, *review.topology.uplinks}:
            yield base.model_copy(
                update={
                    "message": f"{change.link} on {change.node} loses its link-local address {address}; nothing here is routed over IPv6.",
                    "reversibility": Reversibility.FULL,
                    "undo": "",
                }
            )
    elif change.link in review.topology.bridges and change.link not in review.topology.uplinks:
        yield base.model_copy(
            update={
                "message": f"{change.link} on {change.node} loses {address}, the gateway of {pods(review)}.",
                "breaks": (_CROSS, _SERVICE, _OUT, _DNS),
                "extent": Extent.TOTAL,
            }
        )
    elif change.link in review.topology.uplinks and _is_the_nodes(address, change.link, review):
        yield base.model_copy(
            update={
                "message": f"{change.node} loses {address} on {change.link}, the address that the operator and the cluster reach it at.",
                "breaks": (
                    TrafficClass.NODE_MANAGEMENT,
                    TrafficClass.NODE_TO_APISERVER,
                    TrafficClass.HOST_EGRESS,
                    _CROSS,
                    _OUT,
                ),
                "extent": Extent.TOTAL,
                "cuts_undo": True,
                "remedy": "Add the new address before the old one goes, and move the node's registration first.",
            }
        )
    elif change.link in review.topology.uplinks:
        yield base.model_copy(
            update={
                "message": f"{change.node} no longer answers at {address} on {change.link}.",
                "breaks": (TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
                "extent": Extent.PARTIAL,
            }
        )


def _link_local(address: str) -> bool:
    return address.startswith(("fe8", "fe9", "fea", "feb"))


def _routes_ipv6(review: Review) -> bool:
    """Whether the node or its pods have IPv6 addresses beyond a link, or a way out."""
    _, pods_have = families(review)
    return pods_have or bool(global_ipv6(review.before)) or has_default(review.before, "ip6")


def _is_the_nodes(address: str, link: str, review: Review) -> bool:
    """Whether the cluster knows the node by it or, without a cluster, it is the link's first of its family."""
    for node in review.cluster.nodes if review.cluster else ():
        if node.name == review.before.name and node.addresses:
            return address in node.addresses
    found = review.before.link(link)
    family = "ip6" if ":" in address else "ip"
    first = next(
        (
            item
            for item in (found.addresses if found else ())
            if item.family == family and item.scope == "global"
        ),
        None,
    )
    return first is not None and first.address == address


RISK = Risk[LinkChange](
    id="address-removed",
    title="An address of the node is removed",
    on=(LinkChange,),
    judge=judge,
    sources=("Linux, net/ipv4/fib_frontend.c, fib_del_ifaddr; net/ipv4/fib_semantics.c, fib_sync_down_addr",),
    verify="ip -br addr",
)

"""The node's end of a pod's link gets another MAC.

## Why it matters

Some networks write the node's MAC into the pod as a permanent neighbour entry (AWS VPC CNI, cilium); the pod's frames
then go to nobody. Where the pod asks by ARP it learns the new one after a pause; behind a bridge the MAC of the port does
not matter.

## When it bites

At once for that pod.

## How to undo

Set the former MAC again.

## How to check

In the pod: `ip neigh`; on the node: `ip link show <link>`.
"""

from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.topology import Overlay, PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk

STATIC = frozenset({Overlay.AWS_VPC, Overlay.CILIUM})
"""Networks that write permanent entries: amazon-vpc-cni-k8s, cmd/routed-eni-cni-plugin; cilium, connector."""
_ALL = (
    TrafficClass.POD_TO_POD_SAME_NODE,
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.DNS,
)


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """Whether the pod behind the link is told the MAC once and for all."""
    if change.field != "mac" or change.link not in review.topology.pod_links or change.after is None:
        return
    if review.topology.attachment is not PodAttachment.ROUTED:
        return
    static = review.topology.overlay in STATIC
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"The pod behind {change.link} on {change.node} sends its frames to {change.before}, "
            + (
                "which is written into it for good: it is cut off."
                if static
                else "until it asks again by ARP."
            )
        ),
        breaks=_ALL,
        extent=Extent.TOTAL if static else Extent.NONE,
        pods=1,
        onset=change.horizon,
        reversibility=Reversibility.FULL if static else Reversibility.WITH_LOSS,
        remedy="Leave the MAC to the program that made the link (MACAddressPolicy=none).",
    )


RISK = Risk[LinkChange](
    id="pod-link-mac-changed",
    title="A pod's link gets another MAC",
    on=(LinkChange,),
    judge=judge,
    sources=("amazon-vpc-cni-k8s, docs/troubleshooting.md", "Linux, net/core/neighbour.c, NUD_PERMANENT"),
    verify="ip -o link show type veth",
)

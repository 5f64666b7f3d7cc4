"""The tunnel device's MAC address changes while other nodes keep sending to the old one.

## Why it matters

The overlay's agent publishes the MAC of its device; every other node holds it in a permanent neighbour and forwarding
entry. Frames to another MAC are not addressed to the node, and it drops them: no pod of it is reached from elsewhere.

## When it bites

At once, for everything that comes through the tunnel.

## How to undo

Set the published MAC again; or restart the agent so that it publishes the new one.

## How to check

`ip link show flannel.1` beside the node's annotation `flannel.alpha.coreos.com/backend-data`.
"""

from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """Whether the device carries the overlay and the new MAC is not the one that the node has published."""
    if change.field != "mac" or change.link not in review.topology.overlay_links or change.after is None:
        return
    if change.after.lower() in _published(review):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.link} on {change.node} gets the MAC {change.after}; other nodes keep sending to {change.before}, "
            f"and {pods(review)} are no longer reached from them."
        ),
        breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
        extent=Extent.TOTAL,
        onset=change.horizon,
        remedy="Keep the MAC that the agent published, or restart the agent in the same step.",
    )


def _published(review: Review) -> str:
    """What the node's annotations say, in small letters."""
    for node in review.cluster.nodes if review.cluster else ():
        if node.name == review.before.name:
            return " ".join(node.annotations.values()).lower()
    return ""


RISK = Risk[LinkChange](
    id="overlay-mac-changed",
    title="The tunnel device gets another MAC",
    on=(LinkChange,),
    judge=judge,
    sources=(
        "flannel, pkg/backend/vxlan: backend-data annotation VtepMAC",
        "Linux, drivers/net/vxlan/vxlan_core.c; measured with permanent neighbour entries",
    ),
    verify="ip -d link show type vxlan; bridge fdb show",
)

"""The overlay's vxlan device gets another port, network identifier or local address than the other nodes use.

## Why it matters

Each node sends to one UDP port with one network identifier, to the address that its peers have published. A node with
another one is deaf to all others, and they to it, although each is consistent in itself.

## When it bites

At once, for all pod traffic between this node and those that were not changed.

## How to undo

Create the device with the former values, with its routes, neighbours and forwarding entries.

## How to check

`ip -d link show type vxlan` on two nodes.
"""

from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk

FIELDS = {"options/port": "UDP port", "options/id": "network identifier", "options/local": "local address"}


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """Whether the device carries the overlay."""
    if change.field not in FIELDS or change.link not in review.topology.overlay_links:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.link} on {change.node} uses {FIELDS[change.field]} {change.after} while the other nodes use {change.before}: "
            f"{pods(review)} and those elsewhere do not reach each other until every node is changed."
        ),
        breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
        extent=Extent.TOTAL,
        onset=change.horizon,
        remedy="Change the overlay's configuration and restart its agent on all nodes in one window.",
    )


RISK = Risk[LinkChange](
    id="vxlan-identity-changed",
    title="The overlay's port or identifier changes on one node",
    on=(LinkChange,),
    judge=judge,
    sources=(
        "Linux, Documentation/networking/vxlan.rst; measured with two nodes",
        "flannel, Documentation/backends.md",
    ),
    verify="ip -d link show type vxlan",
)

"""The node's pod subnet changes while its bridge keeps the old address.

## Why it matters

The bridge plugin refuses to go on when the bridge has another IPv4 address than the configuration asks for, so no pod
starts. The pods that run hold addresses of the old subnet, to which other nodes may no longer route.

## When it bites

For the next pod; for the old ones as soon as the other nodes learn the new subnet.

## How to undo

Restore the former subnet; or delete the bridge and recreate all pods of the node.

## How to check

`ip -4 addr show cni0` beside the subnet in the configuration or in /run/flannel/subnet.env.
"""

from collections.abc import Iterator
from ipaddress import ip_interface

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import network, tells
from planner.risks.people import pods
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether the bridge's address and the configured range part company."""
    if not tells(change, review, "subnet", "ranges", "bridge", "FLANNEL_SUBNET"):
        return
    clash = _clash(review.after)
    if clash is None or clash == _clash(review.before):
        return
    bridge, holds, wanted = clash
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{bridge} on {change.node} holds {holds} and the configuration now wants {wanted}: the bridge plugin refuses, "
            f"no pod starts, and {pods(review)} keep addresses that other nodes may no longer route to."
        ),
        breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE),
        extent=Extent.PARTIAL,
        side_effects=("pod-lifecycle",),
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that started in the new subnet have to be recreated.",
        remedy="Drain the node, delete the bridge, then change the subnet.",
    )


def _clash(state: NodeState) -> tuple[str, str, str] | None:
    found = network(state)
    if found is None or not found.base.bridge or not found.base.gateway or found.base.force_address:
        return None
    link = state.link(found.base.bridge)
    if link is None:
        return None
    held = [address.prefix for address in link.addresses if address.family == "ip"]
    wanted = [prefix for prefix in found.base.ranges if ":" not in prefix]
    # bridge.go, ensureAddr: any other IPv4 address on the bridge is an error unless forceAddress is set.
    if not held or not wanted or {str(ip_interface(prefix).network) for prefix in held} & set(wanted):
        return None
    return found.base.bridge, ", ".join(held), ", ".join(wanted)


RISK = Risk[DocumentChange | FileChange](
    id="cni-subnet-under-bridge",
    title="The pod subnet changes under its bridge",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=("containernetworking/plugins, plugins/main/bridge/bridge.go, ensureAddr",),
    verify="ip -4 addr show type bridge; cat /run/flannel/subnet.env",
    once=True,
)

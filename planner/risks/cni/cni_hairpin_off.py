"""A pod can no longer reach itself through its own Service.

## Why it matters

A bridge does not send a frame back out of the port it came from unless hairpin mode is on. A pod whose call to its own
Service is sent to itself waits for ever: one call in n for n endpoints.

## When it bites

For pods that start after the change; running pods keep the mode of their port.

## How to undo

Set it back and recreate the pods that started in between, or set `hairpin on` on their ports.

## How to check

`bridge -d link show` prints the mode of every port.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import network, tells
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether a bridge's ports lose the mode and the bridge is not promiscuous instead."""
    if not tells(change, review, "hairpinMode", "promiscMode"):
        return
    before, after = network(review.before), network(review.after)
    if before is None or after is None or before.base.type != after.base.type:
        return
    if not before.base.hairpin or not after.base.bridge:
        return
    # A promiscuous bridge hands the frame to the node, which sends it back (kubelet's promiscuous-bridge mode).
    if after.base.hairpin or after.base.promiscuous:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"New pods on {change.node} cannot reach themselves through their own Service: "
            f"the ports of {after.base.bridge} no longer send a frame back where it came from."
        ),
        breaks=(TrafficClass.POD_TO_SERVICE,),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that started in between have to be recreated.",
        remedy="Keep hairpinMode on.",
    )


RISK = Risk[DocumentChange | FileChange](
    id="cni-hairpin-off",
    title="Hairpin mode is turned off",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "containernetworking/plugins, plugins/main/bridge/bridge.go, setupVeth (LinkSetHairpin)",
        "Linux, net/bridge/br_forward.c, should_deliver",
    ),
    verify="bridge -d link show | grep hairpin",
    once=True,
)

"""The network's name changes, and with it the place where host-local keeps its leases.

## Why it matters

host-local remembers given addresses in a directory named after the network. Under a new name it starts empty and gives
addresses again that running pods still use.

## When it bites

For pods that start after the change, until the old pods are gone.

## How to undo

Restore the name, then recreate the pods that started in between.

## How to check

`ls /var/lib/cni/networks` shows one directory for each name.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import network, tells
from planner.risks.people import pods
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether host-local loses its leases while pods hold addresses of the same range."""
    if not tells(change, review, "name") or review.topology.pods == 0:
        return
    before, after = network(review.before), network(review.after)
    if before is None or after is None or before.name == after.name:
        return
    local = {"host-local", ""}
    if (
        before.base.ipam not in local
        or after.base.ipam not in local
        or not set(before.base.ranges) & set(after.base.ranges)
    ):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"The network is called {after.name} instead of {before.name}. Its leases start empty, so new pods can get "
            f"addresses that {pods(review)} still use."
        ),
        breaks=(TrafficClass.POD_TO_POD_SAME_NODE,),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that got a doubled address must be recreated.",
        remedy="Keep the name, or drain the node first.",
    )


RISK = Risk[DocumentChange | FileChange](
    id="cni-network-renamed",
    title="The network is renamed and forgets its leases",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "containernetworking/plugins, plugins/ipam/host-local/backend/disk: the directory is named after the network",
    ),
    verify="ls /var/lib/cni/networks",
    once=True,
)

"""New pods get another network, because another file now stands first or the first one describes another network.

## Why it matters

The first file of the directory in the order of names decides. Pods that start afterwards get links, addresses and
routes from another plugin, bridge or range than the pods beside them and on other nodes, which then cannot reach them.

## When it bites

For pods that start after the change; running pods keep what they have.

## How to undo

Restore the former files, then recreate the pods that started in between.

## How to check

`ls /etc/cni/net.d` in the C locale; the first `.conf`, `.conflist` or `.json` counts.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import Network, concerns_cni, network
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether the link, bridge or range of a new pod differs from that of the pods beside it."""
    if not concerns_cni(change):
        return
    before, after = network(review.before), network(review.after)
    if before is None or after is None:
        return
    difference = _difference(before, after)
    if not difference:
        return
    stands = (
        f"{after.path} now stands before {before.path}: " if before.path != after.path else f"{after.path}: "
    )
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{stands}new pods on {change.node} get {difference}, unlike the pods beside them and on other nodes.",
        breaks=(
            TrafficClass.POD_TO_POD_SAME_NODE,
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.POD_TO_SERVICE,
        ),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that started in between keep the other network until they are recreated.",
        remedy="Drain the node before its network changes, or give the new file a name that sorts last.",
    )


def _difference(before: Network, after: Network) -> str:
    if before.base.type != after.base.type:
        return f"plugin {after.base.type} instead of {before.base.type}"
    if before.base.bridge != after.base.bridge:
        return f"bridge {after.base.bridge} instead of {before.base.bridge}"
    if before.path != after.path and set(before.base.ranges) != set(after.base.ranges):
        return f"addresses of {', '.join(after.base.ranges) or 'another range'} instead of {', '.join(before.base.ranges)}"
    return ""


RISK = Risk[DocumentChange | FileChange](
    id="cni-network-changed",
    title="New pods get another network",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "containerd/go-cni, opts.go, loadFromConfDir: the first file in sorted order is the default network",
        "containernetworking/cni, SPEC.md",
    ),
    verify="ls -1 /etc/cni/net.d | LC_ALL=C sort",
    once=True,
)

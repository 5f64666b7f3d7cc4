"""A bridge gets the name of a link that belongs to somebody else.

## Why it matters

The bridge plugin creates its bridge, or takes the link of that name as it is. Two networks with one bridge configure it
for whoever came first, and the other's containers get no usable gateway. A link of the name that is no bridge makes every
new pod fail.

## When it bites

For containers that start after the change, and in another order after a reboot.

## How to undo

Give the bridges different names again, delete the shared one when no container uses it, and recreate the containers.

## How to check

`grep -l '"bridge"' /etc/cni/net.d/*` and `ip -d link show type bridge`.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import Network, configurations, network, tells
from planner.risks.people import listed
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether two networks now share a bridge, or the name belongs to a link of another kind."""
    if not tells(change, review, "bridge", "ranges", "subnet"):
        return
    for bridge, users in sorted(_shared(review.after).items()):
        if users == _shared(review.before).get(bridge):
            continue
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{listed(users)} both use the bridge {bridge} on {change.node} with different addresses: "
                "containers of whichever comes second get no usable gateway."
            ),
            breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_EXTERNAL),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            confidence=Confidence.LIKELY,
            reversibility=Reversibility.WITH_LOSS,
            undo="The shared bridge has to be deleted and the containers on it recreated.",
            remedy="Give each network a bridge of its own.",
        )
    after, before = network(review.after), network(review.before)
    if after is None or not after.base.bridge or (before and before.base.bridge == after.base.bridge):
        return
    link = review.after.link(after.base.bridge)
    if link is not None and link.kind != "bridge":
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{after.path} wants {link.name} as its bridge, and on {change.node} that is a link of another kind "
                f"({link.kind or 'physical'}): no new pod starts."
            ),
            side_effects=("pod-lifecycle",),
            onset=change.horizon,
            remedy="Use a name that no link has.",
        )


def _shared(state: NodeState) -> dict[str, list[str]]:
    """Bridges that several readable networks use with different ranges."""
    users: dict[str, list[Network]] = {}
    for item in configurations(state):
        if isinstance(item, Network) and item.base.bridge:
            users.setdefault(item.base.bridge, []).append(item)
    return {
        bridge: [item.path for item in items]
        for bridge, items in users.items()
        if len({item.name for item in items}) > 1 and len({frozenset(item.base.ranges) for item in items}) > 1
    }


RISK = Risk[DocumentChange | FileChange](
    id="cni-bridge-clash",
    title="Two networks share a bridge",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=("containernetworking/plugins, plugins/main/bridge/bridge.go, ensureBridge and bridgeByName",),
    verify="grep -H bridge /etc/cni/net.d/*; ip -d link show type bridge",
    once=True,
)

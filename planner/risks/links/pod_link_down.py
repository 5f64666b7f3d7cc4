"""A link that pods depend on goes down, goes away or leaves its bridge.

## Why it matters

The pod bridge is every pod's gateway, the tunnel device its way to other nodes, the host's end of a veth its only link.
None of them comes back by itself: the plugin that made it runs only when a pod starts.

## When it bites

At once.

## How to undo

Bring the link up and add its routes again; a link that was deleted needs its agent restarted or its pods recreated.

## How to check

`ip link show master cni0`; `ip -d link show type vxlan`.
"""

from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk

_SAME, _CROSS, _SERVICE, _OUT, _DNS, _PROBES = (
    TrafficClass.POD_TO_POD_SAME_NODE,
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.DNS,
    TrafficClass.KUBELET_PROBES,
)


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """What hangs on the link: all pods, the other nodes, or one pod."""
    gone = change.field == "" and change.after is None
    down = change.field == "up" and (change.after or "").lower() in {"false", "down", "0", "no"}
    left = change.field == "master" and bool(change.before) and change.before in review.topology.bridges
    if not (gone or down or left):
        return
    topology = review.topology
    word = "is removed" if gone else "goes down" if down else f"leaves {change.before}"
    base = Finding(
        risk=RISK.id,
        change=change,
        message="",
        extent=Extent.TOTAL,
        onset=change.horizon,
        reversibility=Reversibility.NONE if gone else Reversibility.WITH_LOSS,
        undo="Its agent has to be restarted, or the pods on it recreated."
        if gone
        else "Routes through the link have to be added again.",
    )
    if (
        change.link in topology.bridges
        and topology.pods != 0
        and not left
        and _holds_pods(change.link, review)
    ):
        yield base.model_copy(
            update={
                "message": f"{change.link} on {change.node} {word}: {pods(review)} lose their gateway.",
                "breaks": (_SAME, _CROSS, _SERVICE, _OUT, _DNS, _PROBES),
            }
        )
    elif change.link in topology.overlay_links:
        yield base.model_copy(
            update={
                "message": f"{change.link} on {change.node} {word}: {pods(review)} and those on other nodes do not reach each other.",
                "breaks": (_CROSS, _SERVICE, _DNS),
            }
        )
    elif change.link in topology.pod_links:
        yield base.model_copy(
            update={
                "message": f"{change.link} on {change.node} {word}: the pod behind it is cut off.",
                "breaks": (_SAME, _CROSS, _SERVICE, _OUT, _DNS, _PROBES),
                "pods": 1,
            }
        )


def _holds_pods(bridge: str, review: Review) -> bool:
    """Whether pods' links are its ports, or that cannot be told."""
    ports = [link.name for link in review.before.links if link.master == bridge]
    return not review.topology.pod_links or any(port in review.topology.pod_links for port in ports)


RISK = Risk[LinkChange](
    id="pod-link-down",
    title="A link that pods depend on goes down",
    on=(LinkChange,),
    judge=judge,
    sources=("Linux, net/bridge/br_if.c", "containernetworking/plugins, plugins/main/bridge"),
    verify="ip -o link show",
)

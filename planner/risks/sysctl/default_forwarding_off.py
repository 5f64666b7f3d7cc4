"""Links that are created later start with forwarding off.

## Why it matters

`conf.default.forwarding` is copied to each new link. With one link for each pod, existing pods keep working and every
new pod cannot be forwarded from, unless its network plugin sets the value itself. net.ipv4.ip_forward still reads 1.

## When it bites

For new pods, and for all pods after a reboot.

## How to undo

Write 1 to the default, then 1 to the links that were created meanwhile.

## How to check

`sysctl net.ipv4.conf.default.forwarding`, and the value on the newest pod's link.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.topology import Overlay, PodAttachment
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import routed_classes, turned_off, value

SETS_IT_ITSELF = frozenset(
    {Overlay.CALICO_BGP, Overlay.CALICO_IPIP, Overlay.CALICO_VXLAN, Overlay.CILIUM, Overlay.AWS_VPC}
)
"""Agents that write forwarding=1 on each pod's link (felix configureInterface(); cilium's own devices)."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """The default goes off although the node forwards."""
    if not turned_off(change) or value(review.after, "net.ipv4.ip_forward") == 0:
        return
    if review.topology.attachment is PodAttachment.NONE:
        return
    routed = review.topology.attachment in {PodAttachment.ROUTED, PodAttachment.UNKNOWN}
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Links that appear on {change.node} from now on do not forward: each new pod is cut off from services, DNS and "
            f"other nodes, while existing pods hide it."
            if routed
            else f"Links that appear on {change.node} from now on do not forward; pods hang on a bridge that exists already, "
            f"but it would start without forwarding if it were made again."
        ),
        breaks=routed_classes(review) if routed else (),
        extent=Extent.PARTIAL if routed else Extent.NONE,
        onset=max(change.horizon, Horizon.NEW_PODS),
        confidence=Confidence.LIKELY
        if review.topology.overlay in SETS_IT_ITSELF or not routed
        else Confidence.PROVEN,
        reversibility=Reversibility.WITH_LOSS,
        undo="Links created meanwhile keep 0 until it is written to each of them.",
        remedy="Set net.ipv4.conf.default.forwarding to 1, or leave it out of the file.",
    )


RISK = Risk[SysctlChange](
    id="default-forwarding-off",
    title="New links start without forwarding",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.default.forwarding",),
    judge=judge,
    sources=("Linux, net/ipv4/devinet.c inetdev_init(); measured with routed pods",),
    verify="sysctl net.ipv4.conf.default.forwarding",
)

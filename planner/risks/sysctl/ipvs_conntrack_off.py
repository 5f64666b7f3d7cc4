"""IPVS connections are no longer tracked.

## Why it matters

With kube-proxy in IPVS mode masquerading and the firewall see a service's connection only through connection tracking.

## When it bites

At once for new connections.

## How to undo

Write 1, or restart kube-proxy, which writes it.

## How to check

`sysctl net.ipv4.vs.conntrack`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import turned_off


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Off while kube-proxy uses IPVS."""
    if not turned_off(change) or review.topology.kube_proxy_mode not in {"ipvs", "unknown"}:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Service connections on {change.node} are no longer tracked: they are not masqueraded, so calls of a pod to "
            f"itself, NodePorts and traffic from outside get no answers."
        ),
        breaks=(TrafficClass.POD_TO_SERVICE, TrafficClass.EXTERNAL_TO_NODEPORT_LB),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy="Leave net.ipv4.vs.* to kube-proxy.",
    )


RISK = Risk[SysctlChange](
    id="ipvs-conntrack-off",
    title="IPVS connections are no longer tracked",
    on=(SysctlChange,),
    keys=("net.ipv4.vs.conntrack",),
    judge=judge,
    sources=("Kubernetes, pkg/proxy/ipvs; Linux, Documentation/networking/ipvs-sysctl.rst, conntrack",),
    verify="sysctl net.ipv4.vs.conntrack",
)

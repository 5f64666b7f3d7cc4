"""The range of source ports grows over NodePorts.

## Why it matters

The kernel takes source ports of the node's own connections out of ip_local_port_range. kube-proxy no longer holds sockets on
NodePorts, so the kernel cannot know that a port is a Service's: a program that binds port 0 may get it as its listening
port, and clients from outside then reach the Service instead; with IPVS or without connection tracking, answers to the
node's own connection go to the Service.

## When it bites

For new connections and listeners, by chance, more often under load.

## How to undo

Write the former range back; sockets that sit on such ports keep them until they close.

## How to check

`sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports`, and the NodePorts of `kubectl get services -A`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.capacity.port_pools import node_port_range, node_ports_unknown, pools
from planner.risks.people import counted
from planner.risks.risk import Review, Risk
from planner.topology.ports import newly_offered, spans

BREAKS = (TrafficClass.EXTERNAL_TO_NODEPORT_LB, TrafficClass.NODE_TO_APISERVER)


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Ports that the wider range adds; those that only lost their reservation are the other risk's."""
    both = pools(change, review)
    if both is None:
        return
    before, after = both
    allowed = node_port_range(review)
    added = [
        port
        for port in newly_offered(before, after, {*review.topology.node_ports, *allowed})
        if not before.low <= port <= before.high
    ]
    in_use = [port for port in added if port in review.topology.node_ports]
    reserve = f"Add {allowed.start}-{allowed.stop - 1} to net.ipv4.ip_local_reserved_ports in the same file."
    grows = f"The range of source ports of {change.node} grows from {before.low}-{before.high} to {after.low}-{after.high}"
    if in_use:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{grows}: the kernel may hand out {counted(len(in_use), 'NodePort')} in use ({spans(in_use)}) "
                "to other programs."
            ),
            breaks=BREAKS,
            extent=Extent.PARTIAL,
            capacity=True,
            onset=change.horizon,
            remedy=reserve,
            undo="Sockets that sit on such ports keep them until they close.",
        )
    elif added and node_ports_unknown(review):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{grows}: the kernel may hand out NodePorts ({spans(added)}).",
            breaks=BREAKS,
            extent=Extent.PARTIAL,
            capacity=True,
            onset=change.horizon,
            confidence=Confidence.UNKNOWN,
            unknown_because=node_ports_unknown(review),
            remedy=reserve,
        )
    elif added:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{grows} and covers ports of the NodePort range ({spans(added)}); no Service uses one of them now.",
            capacity=True,
            onset=change.horizon,
            remedy=reserve,
        )
    elif any(after.low <= port <= after.high and not before.low <= port <= before.high for port in allowed):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{grows}; only net.ipv4.ip_local_reserved_ports keeps NodePorts out of it.",
            capacity=True,
            onset=change.horizon,
        )


RISK = Risk[SysctlChange](
    id="port-range-over-nodeports",
    title="Source ports overlap NodePorts",
    on=(SysctlChange,),
    keys=("net.ipv4.ip_local_port_range",),
    judge=judge,
    sources=(
        "Linux, Documentation/networking/ip-sysctl.rst, ip_local_port_range",
        "kubernetes/kubernetes#111682, kubernetes/kops#6342, awslabs/amazon-eks-ami#1307",
    ),
    verify="sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports",
)

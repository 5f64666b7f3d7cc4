"""Turning IPv4 forwarding off stops everything that the node routes for its pods.

## Why it matters

A node is the router between its pods and the world. Without forwarding the kernel drops every packet that is not for
the node itself. Pods on one Linux bridge still reach each other, and the node still reaches its pods, so probes and a
ping on the node stay green.

## When it bites

At once, for every packet; the write also clears forwarding on every link and for links to come.

## How to undo

Write 1. Forwarding that was switched off on a single link is then on as well: write those back afterwards.

## How to check

`sysctl net.ipv4.ip_forward`, and a connection from a pod to another node.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.horizon import Horizon
from planner.models.topology import Overlay
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import has_pods, routed_classes, turned_off


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Forwarding goes off on a node with pods."""
    if not turned_off(change):
        return
    if change.key != "net.ipv4.ip_forward" and "net.ipv4.ip_forward" in review.before.sysctls:
        return
    if not has_pods(review):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{change.node} stops routing IPv4; no pods with addresses of their own were seen on it.",
            onset=change.horizon,
        )
        return
    bypassed = review.topology.overlay is Overlay.CILIUM
    again = change.horizon is Horizon.REBOOT
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.node} stops routing IPv4: {pods(review)} lose other nodes, services, DNS elsewhere and the outside, "
            f"and NodePorts stop answering."
            + (" Cilium may forward some of it in eBPF, past this switch." if bypassed else "")
            + (" An agent that sets it again at its start would heal it." if again else "")
        ),
        breaks=routed_classes(review),
        extent=Extent.TOTAL,
        onset=change.horizon,
        confidence=Confidence.LIKELY if bypassed or again else Confidence.PROVEN,
        undo="Per-link forwarding values that differed before are not brought back by writing 1.",
        remedy="Leave net.ipv4.ip_forward at 1 on every node; a router hardening rule does not apply to it.",
    )


RISK = Risk[SysctlChange](
    id="ip-forward-off",
    title="IPv4 forwarding is turned off",
    on=(SysctlChange,),
    keys=("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"),
    judge=judge,
    sources=(
        "Linux, net/ipv4/devinet.c inet_forward_change(); measured with bridged and routed pods",
        "Linux, Documentation/networking/ip-sysctl.rst, ip_forward",
    ),
    verify="sysctl net.ipv4.ip_forward",
)

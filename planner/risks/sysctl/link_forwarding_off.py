"""Forwarding goes off on one link while net.ipv4.ip_forward still reads 1.

## Why it matters

For IPv4 the value of the link on which a packet arrives decides. Off on the uplink, answers from outside and NodePort
connections are dropped; off on a bridge or a pod's link, everything these pods send is dropped, and on a routed pod's
link the node also stops answering ARP for the gateway.

## When it bites

At once, one way only: what leaves through the link still goes out.

## How to undo

Write 1 to the same key.

## How to check

`sysctl net.ipv4.conf.eth0.forwarding` and the other links: net.ipv4.ip_forward does not show it.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.people import counted, pods
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import (
    TUNNELS,
    changed_links,
    has_pods,
    is_pod_link,
    link_of,
    routed_classes,
    turned_off,
    value,
)


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """One link stops forwarding what it receives; what that means depends on what the link is for."""
    if not turned_off(change) or value(review.after, "net.ipv4.ip_forward") == 0 or not has_pods(review):
        return
    link, topology = link_of(change), review.topology
    count: int | None = None
    if link in topology.uplinks:
        classes = [
            TrafficClass.POD_TO_EXTERNAL,
            TrafficClass.EXTERNAL_TO_NODEPORT_LB,
            TrafficClass.HOSTPORT,
            TrafficClass.DNS,
        ]
        if topology.overlay not in TUNNELS:
            classes.append(TrafficClass.POD_TO_POD_CROSS_NODE)
        what = (
            f"Packets that arrive on {link} are no longer forwarded on {change.node}: {pods(review)} get no answers from "
            f"outside, and NodePorts stop answering. net.ipv4.ip_forward still reads 1."
        )
    elif link in topology.overlay_links:
        classes = [TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS]
        what = f"What other nodes send through {link} is no longer forwarded to {pods(review)}."
    elif link in topology.bridges:
        classes = list(routed_classes(review))
        what = f"Nothing that {pods(review)} send through the bridge {link} is routed any more."
    elif is_pod_link(review, link):
        # Bridge ports are not where routed packets arrive.
        if any(own.name == link and own.master for own in review.after.links):
            return
        hit = [name for name in changed_links(review, "forwarding") if is_pod_link(review, name)]
        count = len(hit)
        classes = list(routed_classes(review))
        what = (
            f"Forwarding is switched off on {counted(count, 'pod link')} of {change.node}: these pods can send nothing, and "
            f"lose their gateway when its ARP entry expires."
        )
    else:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=what,
        breaks=tuple(classes),
        extent=Extent.TOTAL,
        pods=count,
        onset=change.horizon,
        remedy=f"Keep {change.key} at 1.",
    )


RISK = Risk[SysctlChange](
    id="link-forwarding-off",
    title="One link stops forwarding",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.forwarding",),
    judge=judge,
    sources=("Linux, include/linux/inetdevice.h IN_DEV_FORWARD; measured on uplink and pod links",),
    verify="sysctl -a -r 'net.ipv4.conf.*forwarding'",
)

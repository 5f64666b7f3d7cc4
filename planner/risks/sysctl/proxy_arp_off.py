"""Pods lose their gateway: the node stops answering for 169.254.1.1.

## Why it matters

A routed network plugin gives each pod a gateway address that nobody owns and lets the node answer for it (proxy ARP,
proxy NDP for IPv6). Off, the pod cannot resolve its gateway and can send nothing.

## When it bites

Minutes after the change, when the pod's neighbour entry expires: a test right after it passes. New pods at once.

## How to undo

Write 1 to the pods' links.

## How to check

`sysctl -a -r 'net.ipv4.conf.cali.*proxy_arp'`, and `ip neigh` inside a pod.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Extent, Finding
from planner.models.topology import PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.people import counted
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import (
    ROUTED_CLASSES,
    acting,
    is_pod_link,
    newly_acting,
    tells_it,
    turned_off,
)
from planner.sysctls.names import link_key


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Pod links on which neither `conf.all` nor their own value is on any more; uplinks on which it is now."""
    parts = link_key(change.key)
    if parts is None or review.topology.attachment is PodAttachment.BRIDGE:
        return
    moved = newly_acting(review, parts.knob, parts.family)
    lost = [name for name, old, new in moved if old and not new and is_pod_link(review, name)]
    if lost and turned_off(change) and tells_it(change, review):
        six = parts.family == "ipv6"
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{counted(len(lost), 'pod link')} of {change.node} stop answering for the pods' "
                f"{'IPv6 ' if six else ''}gateway: within minutes, when their neighbour entries expire, these pods can send "
                f"nothing."
            ),
            breaks=(TrafficClass.POD_TO_POD_SAME_NODE, *ROUTED_CLASSES),
            extent=Extent.PARTIAL if six else Extent.TOTAL,
            pods=len(lost),
            onset=change.horizon,
            remedy=f"Keep {parts.knob} at 1 on the pods' links; it needs no value in conf.all.",
        )
    pulled = [
        name
        for name, old, new in moved
        if name in review.topology.uplinks and not old and new and acting(review.after, name, "forwarding")
    ]
    if pulled and parts.family == "ipv4" and tells_it(change, review):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{change.node} answers ARP on {', '.join(sorted(pulled))} for every address that it can route: machines of "
                f"that network may send it traffic that is meant for others."
            ),
            breaks=(TrafficClass.HOST_EGRESS,),
            extent=Extent.INTERMITTENT,
            onset=change.horizon,
            remedy="Set proxy_arp on the pods' links only.",
        )


RISK = Risk[SysctlChange](
    id="proxy-arp",
    title="Answers for the pods' gateway stop, or the node answers for everybody",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.proxy_arp", "net.ipv6.conf.*.proxy_ndp"),
    judge=judge,
    sources=("Linux, net/ipv4/arp.c arp_process(), IN_DEV_PROXY_ARP; measured with a /32 pod",),
    verify="sysctl -a -r 'proxy_(arp|ndp)'",
)

"""Fragmented packets are dropped for want of memory to put them together.

## Why it matters

A node that tracks connections reassembles forwarded fragments too. With a threshold near 0 every fragmented UDP
datagram through it is lost: large DNS answers, tunnels inside tunnels, NFS, RADIUS.

## When it bites

At once, for datagrams larger than the path carries whole.

## How to undo

Write the old value back.

## How to check

`nstat -az IpReasmFails Ip6ReasmFails; cat /proc/net/sockstat` (FRAG).
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk
from planner.sysctls.numbers import number

ENOUGH = 262_144
"""The document's own example; a single datagram of 64 KiB needs about twice its size."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:  # noqa: ARG001
    """Below what a few large datagrams need."""
    old, new = number(change.before), number(change.after)
    if old is None or new is None or new >= min(old, ENOUGH):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.node} keeps {new:,} octets to put fragments together"
            + (
                ": every fragmented datagram is dropped"
                if new < 4096
                else ": fragmented datagrams are dropped under load"
            )
            + ", large DNS answers among them."
        ),
        breaks=(TrafficClass.POD_TO_EXTERNAL,),
        extent=Extent.PARTIAL,
        capacity=new >= 4096,
        onset=change.horizon,
        remedy=f"Leave {change.key} at the kernel's 4,194,304.",
    )


RISK = Risk[SysctlChange](
    id="fragments-dropped",
    title="Fragmented packets are dropped",
    on=(SysctlChange,),
    keys=(
        "net.ipv4.ipfrag_high_thresh",
        "net.ipv6.ip6frag_high_thresh",
        "net.netfilter.nf_conntrack_frag6_high_thresh",
    ),
    judge=judge,
    sources=("Linux, net/ipv4/inet_fragment.c inet_frag_alloc(); net/ipv6/netfilter/nf_conntrack_reasm.c",),
    verify="sysctl net.ipv4.ipfrag_high_thresh net.netfilter.nf_conntrack_frag6_high_thresh",
)

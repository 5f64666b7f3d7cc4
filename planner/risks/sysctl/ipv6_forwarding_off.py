"""Turning IPv6 forwarding off stops everything that the node routes over IPv6 for its pods.

## Why it matters

Only `conf.all.forwarding` decides for IPv6; the links' values say whether they behave as host or router. Switching it
off also clears force_forwarding of every link.

## When it bites

At once.

## How to undo

Write 1; then force_forwarding of the links that had it. Switching on again removes default routes that were learned
from router advertisements.

## How to check

`sysctl net.ipv6.conf.all.forwarding`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import families, has_pods, routed_classes, turned_off


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Off on a node whose pods use IPv6."""
    if not turned_off(change) or not has_pods(review):
        return
    four, six = families(review)
    if not six:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{change.node} stops routing IPv6: {pods(review)} lose other nodes, services and the outside over IPv6.",
        breaks=routed_classes(review),
        extent=Extent.PARTIAL if four else Extent.TOTAL,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="force_forwarding of the links is cleared and has to be written again.",
        remedy="Leave net.ipv6.conf.all.forwarding at 1.",
    )


RISK = Risk[SysctlChange](
    id="ipv6-forwarding-off",
    title="IPv6 forwarding is turned off",
    on=(SysctlChange,),
    keys=("net.ipv6.conf.all.forwarding",),
    judge=judge,
    sources=("Linux, net/ipv6/addrconf.c addrconf_fixup_forwarding(), net/ipv6/ip6_output.c ip6_forward()",),
    verify="sysctl net.ipv6.conf.all.forwarding",
)

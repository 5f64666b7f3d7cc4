"""Packets with one of the node's own addresses as sender are dropped again.

## Why it matters

An eBPF data path hands packets back into the stack with a local sender; without accept_local the kernel takes them for
forged. Elsewhere the value makes no difference.

## When it bites

At once.

## How to undo

Write 1 to the links of the data path.

## How to check

`sysctl -a -r 'net.ipv4.conf.(cilium|lxc).*accept_local'`.
"""

from collections.abc import Iterator

from planner.dataplane.lookup import reverse_path
from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.flow import Disposition
from planner.models.topology import Overlay
from planner.models.traffic import TrafficClass
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import links


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Links of Cilium that lose the value."""
    if review.topology.overlay is not Overlay.CILIUM:
        return
    hit = [
        link.name
        for link in links(review.after)
        if link.name.startswith(("cilium", "lxc")) and _refuses(review, link.name)
    ]
    if not hit:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{change.node} drops packets that come back on {listed(hit)} with an address of the node as sender.",
        breaks=(TrafficClass.POD_TO_SERVICE, TrafficClass.POD_TO_POD_CROSS_NODE),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy="Leave accept_local of cilium_host, cilium_net and lxc* to Cilium.",
    )


def _refuses(review: Review, link: str) -> bool:
    """Whether an own address was taken there as sender, and is not any more."""
    return any(
        reverse_path(review.before, link, item.address).refused is None
        and reverse_path(review.after, link, item.address).refused is Disposition.MARTIAN
        for own in links(review.after)
        for item in own.addresses
        if item.family == "ip"
    )


RISK = Risk[SysctlChange](
    id="accept-local-off",
    title="Packets with a local sender are dropped on the data path's links",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.accept_local",),
    judge=judge,
    sources=("Linux, net/ipv4/fib_frontend.c __fib_validate_source(), IN_DEV_ACCEPT_LOCAL",),
    verify="sysctl -a -r 'net.ipv4.conf.*accept_local'",
)

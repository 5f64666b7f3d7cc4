"""Which address a node shows in ARP, and on which link it answers, changes.

## Why it matters

With arp_filter a node with several links in one network answers only on the link that its routing would use. With
IPVS, arp_announce below 2 shows service addresses as senders, and neighbours learn them for this node. With
drop_gratuitous_arp a moved virtual address is noticed only when the old entry expires.

## When it bites

When neighbours resolve addresses again, minutes after the change.

## How to undo

Write the old value back.

## How to check

`sysctl -a -r 'net.ipv4.conf.*(arp_filter|arp_announce|drop_gratuitous_arp)'`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import newly_acting, tells_it
from planner.sysctls.names import link_key


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Only where the topology makes it matter."""
    parts = link_key(change.key)
    if parts is None or not tells_it(change, review):
        return
    moved = [
        (name, old, new)
        for name, old, new in newly_acting(review, parts.knob)
        if name in review.topology.uplinks
    ]
    if not moved:
        return
    names = listed([name for name, _, _ in moved])
    match parts.knob:
        case "arp_filter" if (
            any(not old and new for _, old, new in moved) and len(review.topology.uplinks) > 1
        ):
            message = (
                f"{change.node} answers ARP on {names} only where its routing would send the answer; it has "
                f"{len(review.topology.uplinks)} uplinks, and asked on another one it is silent."
            )
        case "arp_announce" if (
            any(new < old for _, old, new in moved) and review.topology.kube_proxy_mode == "ipvs"
        ):
            message = (
                f"{change.node} may show service addresses as sender of its ARP requests on {names}, and neighbours learn "
                f"them for this node."
            )
        case "drop_gratuitous_arp" if any(not old and new for _, old, new in moved):
            yield Finding(
                risk=RISK.id,
                change=change,
                message=(
                    f"{change.node} ignores announcements on {names}: a virtual address that moves to another machine is "
                    f"reached again only when the old ARP entry expires."
                ),
                capacity=True,
                onset=change.horizon,
            )
            return
        case _:
            return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=message,
        breaks=(TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
        extent=Extent.INTERMITTENT,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy="Set it only on links where it is wanted.",
    )


RISK = Risk[SysctlChange](
    id="arp-restricted",
    title="The node shows other addresses, or answers on fewer links, in ARP",
    on=(SysctlChange,),
    keys=(
        "net.ipv4.conf.*.arp_filter",
        "net.ipv4.conf.*.arp_announce",
        "net.ipv4.conf.*.drop_gratuitous_arp",
    ),
    judge=judge,
    sources=("Linux, net/ipv4/arp.c arp_filter(), arp_solicit(), arp_process()",),
    verify="sysctl -a -r 'net.ipv4.conf.*arp_'",
)

"""Switching IPv6 off deletes addresses and routes, and switching it on does not bring them back.

## Why it matters

The kernel removes every IPv6 address and route of the link. Afterwards 0 restores the link-local address only; static
addresses and routes are gone until somebody adds them. Programs that bind an IPv6 socket at start then fail.

## When it bites

At once for traffic, at the next start for programs.

## How to undo

Write 0, then add the addresses and routes again, or restart the network service.

## How to check

`ip -6 addr; ip -6 route` before the change, and the same afterwards.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import (
    NODE_CLASSES,
    global_ipv6,
    has_default,
    link_of,
    links,
    tells_it,
    turned_on,
    value,
)
from planner.sysctls.names import DEFAULT, conf


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Which addresses in use go."""
    link = link_of(change)
    if not turned_on(change) or link == DEFAULT or not tells_it(change, review):
        return
    off = {
        own.name
        for own in links(review.after)
        if value(review.after, conf("ipv6", own.name, "disable_ipv6"))
        and not value(review.before, conf("ipv6", own.name, "disable_ipv6"))
    }
    if not off:
        off = {own.name for own in links(review.before)} if link == "all" else {link}
    lost = [address for address in global_ipv6(review.before) if address.split()[0] in off]
    if not lost:
        if tells_it(change, review):
            yield Finding(
                risk=RISK.id,
                change=change,
                message=f"Only link-local IPv6 addresses go on {change.node}; IPv4 is not touched.",
                onset=change.horizon,
                reversibility=Reversibility.FULL,
            )
        return
    alone = not has_default(review.before, "ip")
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.node} loses its IPv6 addresses ({listed(lost)}) and every IPv6 route over those links; writing 0 again "
            f"does not bring them back."
        ),
        breaks=(
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.POD_TO_SERVICE,
            TrafficClass.POD_TO_EXTERNAL,
            *(NODE_CLASSES if alone else (TrafficClass.HOST_EGRESS,)),
        ),
        extent=Extent.TOTAL if alone else Extent.PARTIAL,
        cuts_undo=alone,
        onset=change.horizon,
        reversibility=Reversibility.NONE,
        undo="Static addresses and routes have to be added again from the snapshot.",
        remedy="Leave IPv6 on; to keep programs from using it, change their configuration instead.",
    )


RISK = Risk[SysctlChange](
    id="ipv6-disabled",
    title="IPv6 is switched off",
    on=(SysctlChange,),
    keys=("net.ipv6.conf.*.disable_ipv6",),
    judge=judge,
    sources=("Linux, net/ipv6/addrconf.c dev_disable_change(), addrconf_ifdown(); measured",),
    verify="sysctl -a -r 'net.ipv6.conf.*disable_ipv6'; ip -6 addr",
    once=True,
)

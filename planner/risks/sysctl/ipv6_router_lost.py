"""The IPv6 default route that the node learned from router advertisements goes.

## Why it matters

A node that forwards IPv6 ignores advertisements unless the link's own accept_ra is 2. The write that switches
forwarding on removes learned default routes at once; accept_ra lowered on the link lets them expire. `conf.all` and
`conf.default` of accept_ra protect nothing: no code reads the first, and the second is for new links only.

## When it bites

At once with forwarding; within the route's lifetime, about 30 minutes, with accept_ra.

## How to undo

Set accept_ra of the link to 2, and wait for the next advertisement or solicit one; writing forwarding back is not
enough.

## How to check

`ip -6 route show default; sysctl net.ipv6.conf.eth0.accept_ra net.ipv6.conf.all.forwarding`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import has_default, link_of, turned_on, value
from planner.sysctls.names import ALL, DEFAULT, conf, link_key
from planner.sysctls.numbers import number

LOST = (
    TrafficClass.HOST_EGRESS,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.NODE_TO_APISERVER,
    TrafficClass.NODE_MANAGEMENT,
    TrafficClass.EXTERNAL_TO_NODEPORT_LB,
)


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Forwarding on, or accept_ra down, over learned default routes."""
    parts = link_key(change.key)
    if parts is None:
        return
    learned = _learned(review)
    if parts.knob == "forwarding":
        if not turned_on(change):
            return
        gone = [link for link in learned if value(review.after, conf("ipv6", link, "accept_ra")) != 2]
        if not gone:
            return
        trap = value(review.after, conf("ipv6", ALL, "accept_ra")) == 2
        message = (
            f"Switching IPv6 forwarding on removes the default route that {change.node} learned on {listed(gone)}, at once, "
            f"and later advertisements are ignored: accept_ra of the link is not 2."
            + (" conf.all.accept_ra=2 does not help, nothing reads it." if trap else "")
        )
        if gone != learned:
            return
    else:
        link, new = link_of(change), number(change.after)
        if link in {ALL, DEFAULT} or link not in learned or new is None:
            return
        forwards = bool(value(review.after, conf("ipv6", ALL, "forwarding")))
        if new == 2 or (new == 1 and not forwards) or number(change.before) in {0, None}:
            return
        if number(change.before) == 1 and forwards:
            return  # ignored already
        message = (
            f"{change.node} no longer believes router advertisements on {link}: its IPv6 default route there expires within "
            f"about 30 minutes and is not renewed."
        )
    alone = not has_default(review.before, "ip")
    yield Finding(
        risk=RISK.id,
        change=change,
        message=message + (" It has no IPv4 default route either." if alone else " What uses IPv4 goes on."),
        breaks=LOST,
        extent=Extent.TOTAL if alone else Extent.PARTIAL,
        cuts_undo=alone,
        onset=change.horizon,
        confidence=Confidence.PROVEN if parts.knob == "forwarding" else Confidence.LIKELY,
        reversibility=Reversibility.WITH_LOSS,
        undo="The route returns with the next advertisement once accept_ra of the link is 2, not by the inverse write.",
        remedy="Set accept_ra of the uplink itself to 2 before forwarding is switched on, or use a static default route.",
    )


def _learned(review: Review) -> list[str]:
    """Links of learned IPv6 default routes, before the change."""
    return sorted(
        {
            hop.link
            for route in review.before.routes
            if route.family == "ip6" and route.is_default and route.protocol == "ra"
            for hop in route.nexthops
        }
    )


RISK = Risk[SysctlChange](
    id="ipv6-router-lost",
    title="The learned IPv6 default route goes",
    on=(SysctlChange,),
    keys=("net.ipv6.conf.all.forwarding", "net.ipv6.conf.*.accept_ra"),
    judge=judge,
    sources=(
        "Linux, net/ipv6/route.c rt6_purge_dflt_routers(), net/ipv6/ndisc.c; measured with hand-made advertisements",
        "Linux, include/net/ipv6.h ipv6_accept_ra()",
    ),
    verify="ip -6 route show default; sysctl -a -r 'net.ipv6.conf.*accept_ra$'",
)

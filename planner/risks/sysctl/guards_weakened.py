"""A guard against forged routing information or against leaving a tunnel is taken away.

## Why it matters

accept_redirects on a forwarding node lets machines of the same network move single destinations; accept_source_route
lets senders choose the way. disable_xfrm sends packets past IPsec, disable_policy believes packets that should have
come through it.

## When it bites

At once.

## How to undo

Write the old value back; learned redirects stay until `ip route flush cache`.

## How to check

`sysctl -a -r 'net.ipv4.conf.*(accept_redirects|accept_source_route|disable_xfrm|disable_policy)'`.
"""

from collections.abc import Iterator

from planner.models.change import Cause, SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import newly_acting, tells_it
from planner.sysctls.names import link_key

MEANS = {
    "accept_redirects": "believes redirects on",
    "accept_source_route": "accepts packets that choose their own way on",
    "disable_xfrm": "sends past IPsec, in clear, what leaves by",
    "disable_policy": "does not ask whether packets came through IPsec on",
}


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Uplinks on which the effective value goes from 0 to 1."""
    parts = link_key(change.key)
    if parts is None or change.cause is not Cause.PROPOSED or not tells_it(change, review):
        return
    names = [
        name
        for name, old, new in newly_acting(review, parts.knob)
        if not old and new and name in review.topology.uplinks
    ]
    if not names:
        return
    tunnel = parts.knob == "disable_xfrm"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{change.node} {MEANS[parts.knob]} {listed(names)}.",
        breaks=(TrafficClass.POD_TO_POD_CROSS_NODE,) if tunnel else (),
        extent=Extent.PARTIAL if tunnel else Extent.NONE,
        side_effects=("security-exposure",),
        onset=change.horizon,
        confidence=Confidence.UNKNOWN if tunnel else Confidence.PROVEN,
        unknown_because="the snapshot does not show whether the node uses IPsec" if tunnel else "",
    )


RISK = Risk[SysctlChange](
    id="guards-weakened",
    title="A guard against forged routing or past IPsec is taken away",
    on=(SysctlChange,),
    keys=tuple(f"net.ipv4.conf.*.{knob}" for knob in sorted(MEANS)),
    judge=judge,
    sources=("Linux, include/linux/inetdevice.h IN_DEV_RX_REDIRECTS, IN_DEV_SOURCE_ROUTE; net/ipv4/route.c",),
    verify="sysctl -a -r 'net.ipv4.conf.*(accept_redirects|accept_source_route|disable_xfrm|disable_policy)'",
)

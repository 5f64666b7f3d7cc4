"""Flows are dealt anew over the next hops of multipath routes.

## Why it matters

The hash policy decides which next hop a flow takes. Another policy moves running flows; firewalls and address
translators behind the next hops do not know them and reset them. Without multipath routes nothing happens.

## When it bites

At once, once: new connections are fine.

## How to undo

Write the old value back, which moves the flows again.

## How to check

`ip route show | grep nexthop; sysctl net.ipv4.fib_multipath_hash_policy`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Finding, Reversibility
from planner.risks.people import counted
from planner.risks.risk import Review, Risk


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Only with routes of several next hops of that family."""
    family = "ip6" if change.key.startswith("net.ipv6.") else "ip"
    groups = {hop.id for hop in review.after.nexthop_objects if len(hop.group) > 1}
    several = [
        route
        for route in review.after.routes
        if route.family == family and (len(route.nexthops) > 1 or route.nexthop_id in groups)
    ]
    if not several:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Running flows over {counted(len(several), 'multipath route')} of {change.node} may move to another next hop; "
            f"stateful devices there reset those they do not know."
        ),
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
    )


RISK = Risk[SysctlChange](
    id="multipath-hash",
    title="Flows move between the next hops of multipath routes",
    on=(SysctlChange,),
    keys=("net.ipv*.fib_multipath_hash_policy", "net.ipv*.fib_multipath_hash_fields"),
    judge=judge,
    sources=("Linux, net/ipv4/route.c fib_multipath_hash(); measured with 40 source ports",),
    verify="ip route show; sysctl net.ipv4.fib_multipath_hash_policy",
)

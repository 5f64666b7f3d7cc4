"""A link on which forwarding was switched off on purpose forwards again.

## Why it matters

Each write that really changes net.ipv4.ip_forward is copied to every link. A sequence that switches it off and on
again, or a file that sets it after a link's own line, loses the exception, although net.ipv4.ip_forward itself reads
the same before and after.

## When it bites

At once: the node routes between networks that were kept apart.

## How to undo

Write 0 to the link's own key, after net.ipv4.ip_forward.

## How to check

`sysctl -a -r 'net.ipv4.conf.*forwarding'` against the intended exceptions.
"""

from collections.abc import Iterator

from planner.models.change import Cause, SysctlChange
from planner.models.finding import Finding
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import is_pod_link, link_of, turned_on, value
from planner.sysctls.names import link_key


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """A link's exception ends as a side effect, while the node forwards before and after."""
    parts = link_key(change.key)
    if parts is None or not parts.real or not turned_on(change) or change.cause is Cause.PROPOSED:
        return
    if not value(review.before, "net.ipv4.ip_forward") or not value(review.after, "net.ipv4.ip_forward"):
        return
    link = link_of(change)
    if is_pod_link(review, link):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{link} on {change.node} forwards again: net.ipv4.ip_forward was switched on the way, and that overwrites the 0 "
            f"which this link had."
        ),
        side_effects=("security-exposure",),
        onset=change.horizon,
        remedy=f"Write {change.key}=0 after net.ipv4.ip_forward, or do not toggle net.ipv4.ip_forward.",
    )


RISK = Risk[SysctlChange](
    id="forwarding-override-lost",
    title="A link that was kept from forwarding forwards again",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.forwarding",),
    judge=judge,
    sources=("Linux, net/ipv4/devinet.c inet_forward_change(); measured",),
    verify="sysctl -a -r 'net.ipv4.conf.*forwarding'",
)

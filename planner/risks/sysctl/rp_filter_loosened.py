"""The reverse path filter of an uplink gets looser or goes off.

## Why it matters

Packets with forged senders are no longer stopped at the link. Nothing that passed before is dropped.

## When it bites

At once; only a link whose larger value of `conf.all` and its own really changes.

## How to undo

Write the old value back.

## How to check

`sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.eth0.rp_filter`: the larger one counts, and 2 is looser than 1.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Finding
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import acting
from planner.risks.sysctl.reverse_path import strictness


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Uplinks on which the check gets weaker."""
    weaker = [
        name
        for name in review.topology.uplinks
        if strictness(acting(review.after, name, "rp_filter"), bare=False)
        < strictness(acting(review.before, name, "rp_filter"), bare=False)
    ]
    if not weaker or not any(change.key.endswith(f".{name}.rp_filter") for name in ("all", *weaker)):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{listed(weaker)} on {change.node} accepts senders that it would not answer there; nothing that passed before "
            f"is dropped."
        ),
        onset=change.horizon,
    )


RISK = Risk[SysctlChange](
    id="rp-filter-loosened",
    title="The reverse path filter gets looser",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.rp_filter",),
    judge=judge,
    sources=("Linux, include/linux/inetdevice.h IN_DEV_RPFILTER; measured",),
    verify="sysctl -a -r 'net.ipv4.conf.*rp_filter'",
)

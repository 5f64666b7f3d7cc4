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

from planner.dataplane.lookup import outside, reverse_path
from planner.models.change import SysctlChange
from planner.models.finding import Finding
from planner.models.flow import Disposition
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.routes.prefixes import first_address
from planner.risks.routes.senders import pod_senders


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Uplinks that take a sender from now on which they refused."""
    weaker = [name for name in review.topology.uplinks if _takes_more(review, name)]
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


def _takes_more(review: Review, link: str) -> bool:
    """Whether a sender that was refused there is taken: a pod, somebody near another link, or one that no route leads to."""
    senders = [sender.source for sender in pod_senders(review, "ip") if sender.source]
    senders += [outside("ip", review.before, review.after)]
    senders += [
        first_address(address.prefix)
        for other in review.after.links
        for address in other.addresses
        if other.name not in {link, "lo"} and address.family == "ip"
    ]
    return any(
        reverse_path(review.before, link, sender).refused is Disposition.RP_FILTER
        and reverse_path(review.after, link, sender).refused is None
        for sender in senders
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

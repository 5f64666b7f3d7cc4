"""The hash table of connection tracking gets another size.

## Why it matters

Resizing moves every entry while all tracked traffic waits: a stall that grows with the number of flows. With few buckets for
many entries each look-up walks a long chain, and every packet pays for it.

## When it bites

The stall at once; the long chains as long as the number stays.

## How to undo

Write the former number back: the entries are moved once more, with the same short stall.

## How to check

`sysctl net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_max`: at most four entries for each bucket.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Finding
from planner.risks.capacity.limits import whole
from planner.risks.risk import Review, Risk
from planner.topology.capacity import conntrack

FULL_CHAIN = 4
"""Entries a bucket that kube-proxy still takes for good: it sets buckets to a quarter of the limit."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Lowered below a quarter of the limit; growing moves the entries too, and is cheap when there are few."""
    before, after = whole(change.before), whole(change.after)
    if after is None or (before is not None and after >= before):
        return
    room = conntrack(review.after)
    if room.limit is not None and room.limit <= after * FULL_CHAIN:
        return
    limit = f"{room.limit:,} entries" if room.limit is not None else "an unlimited number of entries"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"On {change.node} {limit} may share {after:,} buckets: each packet's look-up walks longer chains, and the "
            "change itself holds up all tracked traffic for a moment."
        ),
        side_effects=("performance",),
        capacity=True,
        onset=change.horizon,
        remedy="Keep a quarter of nf_conntrack_max or more.",
    )


RISK = Risk[SysctlChange](
    id="conntrack-buckets-few",
    title="Few buckets for many tracked flows",
    on=(SysctlChange,),
    keys=("net.netfilter.nf_conntrack_buckets",),
    judge=judge,
    sources=(
        "Linux, net/netfilter/nf_conntrack_core.c nf_conntrack_hash_resize()",
        "kubernetes, cmd/kube-proxy/app/conntrack.go",
    ),
    verify="sysctl net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_max",
)

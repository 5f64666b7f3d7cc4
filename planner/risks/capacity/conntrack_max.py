"""The limit of tracked flows falls to what the node uses, or too near to it.

## Why it matters

Every flow that a stateful or NAT rule may see needs an entry. When the table is full the kernel looks for an unanswered
entry to throw out, and otherwise drops the first packet of the new flow. Answered flows go on; DNS questions, Service and
NodePort connections fail at random, and the log says `nf_conntrack: table full, dropping packet`.

## When it bites

At once when the limit is below the present count, else at the next peak. The limit holds for each network namespace.

## How to undo

Write the former number back: it works at once. Flows that were refused meanwhile have to be tried again by their clients.

## How to check

`cat /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max`, and `conntrack -S` for drops.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.risks.capacity.limits import TRACKED, present, times, whole
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.topology.capacity import conntrack


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Lowered, against the count of the snapshot; raising is quiet."""
    before, after = whole(change.before), whole(change.after)
    if after is None:
        return
    if after == 0:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{change.node} tracks flows without a limit; kernels from 7.1 on refuse the value 0.",
            onset=change.horizon,
            capacity=True,
        )
        return
    if before is not None and 0 < before <= after:
        return
    room = conntrack(present(review))
    former = f"from {before:,} " if before else ""
    falls = f"the limit of tracked flows falls {former}to {after:,}"
    if room.used is None:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"On {change.node} {falls}; how many are tracked is not known. A full table drops new flows.",
            breaks=TRACKED,
            extent=Extent.INTERMITTENT,
            capacity=True,
            onset=change.horizon,
            confidence=Confidence.UNKNOWN,
            unknown_because=room.unknown_because,
        )
    elif room.used >= after:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"On {change.node} {falls} while {room.used:,} are tracked: new flows of {pods(review)} and of the node "
                "itself are dropped until the number has fallen."
            ),
            breaks=TRACKED,
            extent=Extent.TOTAL,
            onset=change.horizon,
            pods=review.topology.pods,
            undo="Flows refused meanwhile have to be tried again by their clients.",
            remedy=f"Keep at least {int(room.used * review.growth):,}.",
        )
    elif room.used * review.growth > after:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"On {change.node} {falls} while {room.used:,} are tracked: the table is full when the load grows "
                f"{times(room.used, after)}, and {review.growth:g} times is asked for."
            ),
            breaks=TRACKED,
            extent=Extent.INTERMITTENT,
            capacity=True,
            onset=change.horizon,
            pods=review.topology.pods,
            remedy=f"Keep at least {int(room.used * review.growth):,}.",
        )
    else:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"On {change.node} {falls}; {room.used:,} are tracked, so there is room for {times(room.used, after)} that.",
            capacity=True,
            onset=change.horizon,
        )


RISK = Risk[SysctlChange](
    id="conntrack-max-too-low",
    title="The conntrack limit is near or below what is used",
    on=(SysctlChange,),
    keys=("net.netfilter.nf_conntrack_max", "net.nf_conntrack_max"),
    judge=judge,
    sources=(
        "Linux, net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc(), early_drop()",
        "Linux, Documentation/networking/nf_conntrack-sysctl.rst",
    ),
    verify="sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
)

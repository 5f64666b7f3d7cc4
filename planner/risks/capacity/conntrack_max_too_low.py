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
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.capacity.limits import Claim, from_to, present, weigh, whole
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.topology.capacity import conntrack

TRACKED = (
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.EXTERNAL_TO_NODEPORT_LB,
    TrafficClass.HOSTPORT,
    TrafficClass.DNS,
    TrafficClass.NODE_TO_APISERVER,
    TrafficClass.KUBELET_PROBES,
    TrafficClass.HOST_EGRESS,
)
"""Classes whose new flows need an entry."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Lowered, against the count of the snapshot; raising is quiet."""
    before, after = whole(change.before), whole(change.after)
    if after is None or (before is not None and 0 < before <= after):
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
    claim = Claim(
        risk=RISK.id,
        falls=f"On {change.node} the limit of tracked flows falls {from_to(before, after)}",
        used="tracked",
        lost=f"new flows of {pods(review)} and of the node itself are dropped until others end",
        breaks=TRACKED,
        full=Extent.TOTAL,
        undo="Flows refused meanwhile have to be tried again by their clients.",
    )
    yield from weigh(change, review, conntrack(present(review)), after, claim)


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

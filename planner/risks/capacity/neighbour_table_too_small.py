"""The neighbour table gets too small for the peers of the node.

## Why it matters

The kernel keeps one table of neighbours for each family and the whole machine, pods' namespaces included. At gc_thresh3 it
refuses a new entry unless it can throw one out, and packets to a peer without an entry are lost: some pods, nodes or
gateways cannot be reached, others can, and it changes by the minute.

## When it bites

At once for peers without an entry when the limit is below the count; later when nodes or pods join.

## How to undo

Write the former three numbers back; the next packet to each peer resolves it.

## How to check

The first column of `/proc/net/stat/arp_cache` and `ndisc_cache` (hexadecimal), and `neighbour table overflow` in the log.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.capacity.limits import Claim, from_to, present, weigh, whole
from planner.risks.risk import Review, Risk
from planner.topology.capacity import Headroom, neighbours

RESOLVED = (
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.DNS,
    TrafficClass.KUBELET_PROBES,
    TrafficClass.HOST_EGRESS,
)
"""Classes that meet next hops which nobody has spoken to for a while."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """gc_thresh3 lowered, against the table's entries and the peers that are to be expected; raising is quiet."""
    before, after = whole(change.before), whole(change.after)
    if after is None or (before is not None and after >= before):
        return
    family = "ip6" if ".ipv6." in change.key else "ip"
    room = neighbours(present(review), review.cluster, family)
    if change.key.endswith("gc_thresh2"):
        yield from _collected(change, room, after)
        return
    kind = "IPv6" if family == "ip6" else "IPv4"
    claim = Claim(
        risk=RISK.id,
        falls=f"On {change.node} the limit of {kind} neighbours falls {from_to(before, after)}",
        used=f"in use ({room.basis})",
        lost="packets to peers that lose or lack an entry are lost, now to these, now to others",
        breaks=RESOLVED,
        full=Extent.INTERMITTENT,
    )
    yield from weigh(change, review, room, after, claim)


def _collected(change: SysctlChange, room: Headroom, after: int) -> Iterator[Finding]:
    """Above gc_thresh2 an allocation starts a collection every five seconds (net/core/neighbour.c neigh_alloc)."""
    if room.used is not None and room.used > after:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"On {change.node} {room.used:,} neighbours stand above the soft limit of {after:,}: idle ones are thrown "
                "out every five seconds and resolved again."
            ),
            side_effects=("performance",),
            capacity=True,
            onset=change.horizon,
        )


RISK = Risk[SysctlChange](
    id="neighbour-table-too-small",
    title="The neighbour table is too small for the node's peers",
    on=(SysctlChange,),
    keys=("net.ipv4.neigh.default.gc_thresh[23]", "net.ipv6.neigh.default.gc_thresh[23]"),
    judge=judge,
    sources=(
        "Linux, net/core/neighbour.c neigh_alloc(), neigh_forced_gc()",
        "Linux, Documentation/networking/ip-sysctl.rst, neigh/default/gc_thresh3",
        "kubernetes/kops#4533, Azure/aks-engine#2732",
    ),
    verify="cat /proc/net/stat/arp_cache /proc/net/stat/ndisc_cache; sysctl -a | grep gc_thresh",
)

"""The memory for all sockets of the machine is limited to what they use, or too near to it.

## Why it matters

tcp_mem and udp_mem count pages for the whole machine, pods included. Above the third number TCP throws received data away,
closes orphans and shrinks windows on every connection, and UDP drops datagrams: DNS first. Bytes written where pages are
meant give no protection; pages written where bytes are meant stop the node.

## When it bites

At once when the limit is below the present use, else under load.

## How to undo

Write the former three numbers back; it counts at once.

## How to check

`mem` in `/proc/net/sockstat` (pages), and the counters TCPMemoryPressures, PruneCalled and Udp MemErrors in `nstat`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.capacity.limits import present, times, vector
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.topology.capacity import socket_memory

TCP = (
    TrafficClass.POD_TO_POD_SAME_NODE,
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.NODE_TO_APISERVER,
    TrafficClass.HOST_EGRESS,
)
UDP = (TrafficClass.DNS,)
PAGE_KIB = 4
"""Of the machines that Kubernetes runs on, those with larger pages are rare."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """The third number, lowered, against the pages in use; raising is quiet."""
    before, after = vector(change.before, None), vector(change.after, change.before)
    memory = present(review).volatile.memory_kib
    if (
        len(after) == 3
        and memory
        and after[2] * PAGE_KIB > memory * 2
        and (len(before) < 3 or before[2] != after[2])
    ):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{after[2]:,} pages are more than twice the memory of {change.node}: the numbers look like bytes, and "
                "nothing limits the memory of sockets any more."
            ),
            capacity=True,
            onset=change.horizon,
            confidence=Confidence.LIKELY,
            remedy="Divide by 4,096: the unit is pages.",
        )
    if len(after) != 3 or (len(before) == 3 and after[2] >= before[2]):
        return
    protocol = "udp" if change.key.endswith("udp_mem") else "tcp"
    room = socket_memory(present(review), protocol)
    limit = after[2]
    former = f"from {before[2]:,} " if len(before) == 3 else ""
    falls = f"the memory for all {protocol.upper()} sockets of {change.node} falls {former}to {limit:,} pages"
    breaks = UDP if protocol == "udp" else TCP
    what = (
        "datagrams are dropped, DNS among them"
        if protocol == "udp"
        else "data is thrown away on every connection"
    )
    if room.used is None:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"With this change {falls}; how many are used is not known.",
            breaks=breaks,
            extent=Extent.INTERMITTENT,
            capacity=True,
            onset=change.horizon,
            confidence=Confidence.UNKNOWN,
            unknown_because=room.unknown_because,
        )
    elif room.used >= limit:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"With this change {falls} while {room.used:,} are used: {what}, for {pods(review)} and the node itself.",
            breaks=breaks,
            extent=Extent.INTERMITTENT,
            onset=change.horizon,
            pods=review.topology.pods,
            remedy=f"Keep at least {int(room.used * review.growth):,} pages; the unit is pages, not bytes.",
        )
    elif room.used * review.growth > limit:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"With this change {falls} while {room.used:,} are used: when they grow {times(room.used, limit)}, {what}."
            ),
            breaks=breaks,
            extent=Extent.INTERMITTENT,
            capacity=True,
            onset=change.horizon,
            remedy=f"Keep at least {int(room.used * review.growth):,} pages.",
        )
    else:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"With this change {falls}; {room.used:,} are used, so there is room.",
            capacity=True,
            onset=change.horizon,
        )


RISK = Risk[SysctlChange](
    id="socket-memory-too-small",
    title="Too little memory for sockets",
    on=(SysctlChange,),
    keys=("net.ipv4.tcp_mem", "net.ipv4.udp_mem"),
    judge=judge,
    sources=(
        "Linux, Documentation/networking/ip-sysctl.rst, tcp_mem and udp_mem",
        "Linux, net/core/sock.c __sk_mem_raise_allocated()",
    ),
    verify="grep -E 'TCP:|UDP:' /proc/net/sockstat; sysctl net.ipv4.tcp_mem net.ipv4.udp_mem",
)

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
from planner.risks.capacity.limits import Claim, from_to, present, vector, weigh
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
    """The third number, lowered, against the pages in use; raised beyond the memory, it is no limit any more."""
    before, after = vector(change.before, None), vector(change.after, change.before)
    if len(after) != 3:
        return
    former = before[2] if len(before) == 3 else None
    memory = present(review).volatile.memory_kib
    if memory and after[2] * PAGE_KIB > memory * 2 and former != after[2]:
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
    if former is not None and after[2] >= former:
        return
    protocol = "udp" if change.key.endswith("udp_mem") else "tcp"
    harm = (
        "datagrams are dropped, DNS among them"
        if protocol == "udp"
        else "data is thrown away on every connection"
    )
    claim = Claim(
        risk=RISK.id,
        falls=f"On {change.node} the memory for all {protocol.upper()} sockets falls {from_to(former, after[2])} pages",
        used="used",
        lost=f"{harm}, for {pods(review)} and the node itself",
        breaks=UDP if protocol == "udp" else TCP,
        full=Extent.INTERMITTENT,
    )
    yield from weigh(change, review, socket_memory(present(review), protocol), after[2], claim)


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

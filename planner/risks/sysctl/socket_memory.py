"""The memory limit of all TCP or UDP sockets of the machine comes near what is in use.

## Why it matters

tcp_mem and udp_mem count pages, for all sockets of all pods together. Above the third number TCP sockets are throttled
and pruned, and UDP datagrams, DNS among them, are dropped. Numbers in bytes are 4,096 times too large and protect
nothing.

## When it bites

At once when the use is above the new limit, later when it grows.

## How to undo

Write the old three numbers back.

## How to check

`cat /proc/net/sockstat` (mem, in pages) beside `sysctl net.ipv4.tcp_mem`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk
from planner.sysctls.numbers import numbers

PAGE_KIB = 4
CLASSES = {
    "tcp": (
        TrafficClass.POD_TO_SERVICE,
        TrafficClass.POD_TO_EXTERNAL,
        TrafficClass.NODE_TO_APISERVER,
        TrafficClass.NODE_MANAGEMENT,
    ),
    "udp": (TrafficClass.DNS,),
}


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """The third number against the pages in use, and against the machine's memory."""
    old, new = numbers(change.before), numbers(change.after)
    if len(old) < 3 or len(new) < 3:
        return
    kind = "udp" if "udp" in change.key else "tcp"
    used, limit = review.before.volatile.sockets.get(f"{kind}_mem"), new[2]
    memory = review.before.volatile.memory_kib
    if memory and limit * PAGE_KIB > memory * 2 and old[2] * PAGE_KIB <= memory * 2:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{limit:,} pages are more than twice the memory of {change.node}: the numbers look like bytes, and "
                f"{kind.upper()} memory is no longer limited."
            ),
            capacity=True,
            onset=change.horizon,
            remedy="Divide by 4,096.",
        )
        return
    if limit >= old[2]:
        return
    if used is None:
        if limit * 10 <= old[2]:
            yield _finding(
                change, kind, f"to a tenth or less ({limit:,} pages)", Extent.INTERMITTENT, unknown=True
            )
        return
    if limit <= used:
        yield _finding(change, kind, f"to {limit:,} pages, below the {used:,} in use", Extent.INTERMITTENT)
    elif limit < used * review.growth:
        yield _finding(
            change,
            kind,
            f"to {limit:,} pages, and {used:,} are in use already",
            Extent.INTERMITTENT,
            later=True,
        )


def _finding(
    change: SysctlChange, kind: str, what: str, extent: Extent, *, later: bool = False, unknown: bool = False
) -> Finding:
    harm = (
        "UDP datagrams are dropped on the whole node, DNS among them"
        if kind == "udp"
        else "all TCP connections of the node and its pods are throttled, and some are reset"
    )
    return Finding(
        risk=RISK.id,
        change=change,
        message=f"The limit of {kind.upper()} memory on {change.node} goes {what}: {'then ' if later else ''}{harm}.",
        breaks=CLASSES[kind],
        extent=extent,
        capacity=later or unknown,
        onset=change.horizon,
        confidence=Confidence.UNKNOWN if unknown else Confidence.PROVEN,
        unknown_because="the snapshot does not hold the pages in use" if unknown else "",
        remedy="Leave the limit at the kernel's own figure; the unit is pages of 4 KiB.",
    )


RISK = Risk[SysctlChange](
    id="socket-memory",
    title="The memory limit of all sockets comes near what is in use",
    on=(SysctlChange,),
    keys=("net.ipv4.tcp_mem", "net.ipv4.udp_mem"),
    judge=judge,
    sources=(
        "Linux, net/core/sock.c __sk_mem_raise_allocated(); Documentation/networking/ip-sysctl.rst, tcp_mem",
    ),
    verify="cat /proc/net/sockstat; sysctl net.ipv4.tcp_mem net.ipv4.udp_mem",
)

"""The node gets fewer source ports than its connections need.

## Why it matters

Each connection of the host, of its daemons and of hostNetwork pods to one destination needs a source port of its own.
Without a free one connect() fails with `cannot assign requested address`: proxies, probes and clients of the API server.
Pods with their own network are not concerned, they have a range of their own.

## When it bites

For new connections, under load; at once when every port of the range is reserved.

## How to undo

Write the former range or list back; it counts for the next connection.

## How to check

`sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports`, and `ss -s` for the number of connections.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.risks.capacity.limits import HOST_SOCKETS, present
from planner.risks.capacity.port_pools import KEYS, pools
from planner.risks.risk import Review, Risk
from planner.topology.capacity import source_ports

NOTICED = 0.75
"""A pool that keeps three quarters is not worth a word unless the use says otherwise: reservations are small."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """The size of the pool against the sockets of the host; growing is quiet."""
    both = pools(change, review)
    if both is None or both[1].size >= both[0].size:
        return
    before, after = both
    falls = f"{change.node} has {max(after.size, 0):,} source ports instead of {before.size:,}"
    if after.size <= 0:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{falls}: all are reserved, and no program of the host can open a connection.",
            breaks=HOST_SOCKETS,
            extent=Extent.TOTAL,
            onset=change.horizon,
            remedy="Reserve only ports that somebody listens on.",
        )
        return
    room = source_ports(present(review))
    if room.used is None:
        unknown = after.size < before.size // 2
        if after.size < before.size * NOTICED:
            yield Finding(
                risk=RISK.id,
                change=change,
                message=f"{falls}; how many its connections need is not known.",
                breaks=HOST_SOCKETS if unknown else (),
                extent=Extent.INTERMITTENT if unknown else Extent.NONE,
                capacity=True,
                onset=change.horizon,
                confidence=Confidence.UNKNOWN,
                unknown_because=room.unknown_because,
            )
    elif room.used * review.growth > after.size:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{falls} and {room.used:,} TCP sockets on the host: if they go to one destination, connections fail "
                f"{'now' if room.used > after.size else 'when they grow'}."
            ),
            breaks=HOST_SOCKETS,
            extent=Extent.INTERMITTENT,
            capacity=True,
            onset=change.horizon,
            confidence=Confidence.LIKELY,
            remedy=f"Keep at least {int(room.used * review.growth):,} ports.",
        )
    elif after.size < before.size * NOTICED:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{falls}; {room.used:,} TCP sockets are open on the host, so there is room.",
            capacity=True,
            onset=change.horizon,
        )


RISK = Risk[SysctlChange](
    id="port-range-too-narrow",
    title="Too few source ports",
    on=(SysctlChange,),
    keys=KEYS,
    judge=judge,
    sources=(
        "Linux, Documentation/networking/ip-sysctl.rst, ip_local_port_range",
        "Linux, net/ipv4/inet_hashtables.c __inet_hash_connect()",
    ),
    verify="sysctl net.ipv4.ip_local_port_range; ss -s",
)

"""The range of source ports grows over ports that daemons of the host bind.

## Why it matters

While a daemon listens, the kernel does not give its port to an outgoing connection. While it is down for a restart it does:
a connection that happens to get the port keeps it, and the daemon fails to start with `address already in use`.

## When it bites

When a daemon restarts, by chance; after a reboot, when connections come before the daemon.

## How to undo

Write the former range back, close the connection that holds the port, and start the daemon.

## How to check

`ss -ltnup` against `sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.horizon import Horizon
from planner.models.traffic import TrafficClass
from planner.risks.capacity.limits import present
from planner.risks.capacity.port_pools import pools
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.topology.ports import listened, newly_offered, spans


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Ports of listeners that the wider range adds; by the components' usual ports where sockets were not read."""
    both = pools(change, review)
    if both is None:
        return
    before, after = both
    owners = listened(present(review), review.topology)
    added = [port for port in newly_offered(before, after, owners) if not before.low <= port <= before.high]
    if not added:
        return
    seen = bool(present(review).volatile.listeners)
    names = listed([owners[port] for port in added])
    who = f"ports that {names} {'bind' if seen else 'usually bind'} ({spans(added)})"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"The range of source ports of {change.node} grows from {before.low}-{before.high} to {after.low}-{after.high} "
            f"over {who}: while one of them restarts, a connection may take its port."
        ),
        breaks=(TrafficClass.KUBELET_PROBES,) if seen else (),
        extent=Extent.PARTIAL if seen else Extent.NONE,
        capacity=True,
        side_effects=("observability",),
        onset=max(change.horizon, Horizon.SERVICE_RESTART),
        confidence=Confidence.PROVEN if seen else Confidence.LIKELY,
        remedy=f"Reserve {spans(added)} in net.ipv4.ip_local_reserved_ports.",
        undo="The daemon has to be started again.",
    )


RISK = Risk[SysctlChange](
    id="port-range-over-listeners",
    title="Source ports overlap ports of host daemons",
    on=(SysctlChange,),
    keys=("net.ipv4.ip_local_port_range",),
    judge=judge,
    sources=(
        "Linux, net/ipv4/inet_hashtables.c __inet_hash_connect()",
        "onedr0p/home-ops#11712",
    ),
    verify="ss -ltnup; sysctl net.ipv4.ip_local_port_range",
)

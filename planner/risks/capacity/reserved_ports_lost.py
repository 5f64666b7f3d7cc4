"""A new list of reserved ports leaves out ports that the old one kept free.

## Why it matters

Writing ip_local_reserved_ports replaces the whole list: a file that reserves two ports for one application ends the
reservation of NodePorts or of daemons' ports that another file had made. The kernel may then hand them out.

## When it bites

For new connections and listeners, by chance.

## How to undo

Write one list that holds both; sockets that sit on such ports keep them until they close.

## How to check

`grep -r ip_local_reserved_ports /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d`: the last file alone counts.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.capacity.limits import present
from planner.risks.capacity.port_pools import node_port_range, node_ports_unknown, pools
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.topology.ports import listened, newly_offered, spans


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Ports of the unchanged range that lose their reservation and that somebody needs."""
    both = pools(change, review)
    if both is None:
        return
    before, after = both
    allowed = node_port_range(review)
    owners = listened(present(review), review.topology)
    wanted = {*review.topology.node_ports, *allowed, *owners}
    lost = [port for port in newly_offered(before, after, wanted) if before.low <= port <= before.high]
    if not lost:
        return
    in_use = [port for port in lost if port in review.topology.node_ports]
    bound = [port for port in lost if port in owners and port not in in_use]
    unknown = node_ports_unknown(review) if any(port in allowed for port in lost) else ""
    what = []
    if in_use:
        what.append(f"NodePorts in use ({spans(in_use)})")
    elif any(port in allowed for port in lost):
        what.append(f"the NodePort range ({spans(port for port in lost if port in allowed)})")
    if bound:
        what.append(f"ports of {listed([owners[port] for port in bound])} ({spans(bound)})")
    hit = bool(in_use or bound or unknown)
    breaks = ([TrafficClass.EXTERNAL_TO_NODEPORT_LB] if in_use or unknown else []) + (
        [TrafficClass.KUBELET_PROBES] if bound else []
    )
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"The new list of {change.node} no longer reserves {' and '.join(what)}: the kernel may hand them out.",
        breaks=tuple(breaks),
        extent=Extent.PARTIAL if hit else Extent.NONE,
        capacity=True,
        onset=change.horizon,
        confidence=Confidence.UNKNOWN if unknown and not in_use and not bound else Confidence.PROVEN,
        unknown_because=unknown if not in_use and not bound else "",
        remedy=f"Write one list with {spans(sorted(after.reserved | set(lost)))}.",
        undo="Sockets that sit on such ports keep them until they close.",
    )


RISK = Risk[SysctlChange](
    id="reserved-ports-lost",
    title="Ports lose their reservation",
    on=(SysctlChange,),
    keys=("net.ipv4.ip_local_reserved_ports",),
    judge=judge,
    sources=(
        "Linux, Documentation/networking/ip-sysctl.rst, ip_local_reserved_ports",
        "cilium/cilium#10782",
    ),
    verify="sysctl net.ipv4.ip_local_reserved_ports",
)

"""Ports that were kept from automatic choice become eligible again.

## Why it matters

A write to ip_local_reserved_ports replaces the whole list. A file that reserves the ports of one program drops the
NodePorts or host ports that another had reserved, and where the range of automatic ports covers them, an outgoing
connection can take one.

## When it bites

For new connections, now and then; a program whose port is taken fails to start.

## How to undo

Write the whole old list back.

## How to check

`sysctl net.ipv4.ip_local_reserved_ports net.ipv4.ip_local_port_range`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.people import counted
from planner.risks.risk import Review, Risk
from planner.sysctls.numbers import numbers, ports, print_ports


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Ports that leave the list, lie in the automatic range, and are NodePorts or are listened on."""
    dropped = ports(change.before) - ports(change.after)
    automatic = numbers(review.after.sysctls.get("net.ipv4.ip_local_port_range")) or (32768, 60999)
    exposed = {port for port in dropped if automatic[0] <= port <= automatic[-1]}
    first, last = review.topology.node_port_range
    node_ports = {port for port in exposed if first <= port <= last}
    listening = {own.port for own in review.before.volatile.listeners} & (exposed - node_ports)
    if not node_ports and not listening:
        return
    named = print_ports(frozenset(node_ports or listening))
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{named if len(named) < 60 else counted(len(node_ports or listening), 'port')} can be taken by outgoing connections of {change.node} again: the new "
            f"list of reserved ports replaces the old one, and the automatic range is {automatic[0]} to {automatic[-1]}."
        ),
        breaks=(TrafficClass.EXTERNAL_TO_NODEPORT_LB if node_ports else TrafficClass.HOSTPORT,),
        extent=Extent.INTERMITTENT,
        capacity=True,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy=f"Write one list that holds all: {print_ports(ports(change.before) | ports(change.after))[:200]}.",
    )


RISK = Risk[SysctlChange](
    id="reserved-ports-dropped",
    title="Reserved ports become eligible for outgoing connections",
    on=(SysctlChange,),
    keys=("net.ipv4.ip_local_reserved_ports",),
    judge=judge,
    sources=(
        "Linux, Documentation/networking/ip-sysctl.rst, ip_local_reserved_ports; measured: a write replaces the list",
    ),
    verify="sysctl net.ipv4.ip_local_reserved_ports net.ipv4.ip_local_port_range",
)

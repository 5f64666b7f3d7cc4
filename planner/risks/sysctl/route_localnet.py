"""Packets to 127.0.0.0/8 may come from outside, or NodePorts on 127.0.0.1 stop.

## Why it matters

With route_localnet the kernel takes packets for loopback addresses from the network. kube-proxy needs it for NodePorts
on 127.0.0.1 and adds a rule that drops what was not translated; without such a rule neighbours on the same segment, and
pods, reach programs that listen on 127.0.0.1 only.

## When it bites

At once.

## How to undo

Write the old value back.

## How to check

`sysctl net.ipv4.conf.all.route_localnet; iptables -S | grep 127.0.0.0/8`.
"""

from collections.abc import Iterator

from planner.dataplane.lookup import outside
from planner.dataplane.trace import trace
from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.flow import Disposition, Entry, Flow
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.people import counted, listed
from planner.risks.risk import Review, Risk
from planner.risks.routes.prefixes import first_address
from planner.risks.sysctl.context import newly_acting, tells_it
from planner.sysctls.names import DEFAULT, link_key

LOCAL_ONLY = 10248
"""A port that listens on 127.0.0.1 only: the kubelet's own health check."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """On without a guard exposes; off with NodePorts takes them away on 127.0.0.1."""
    parts = link_key(change.key)
    if parts is None or parts.link == DEFAULT or not tells_it(change, review):
        return
    moved = newly_acting(review, "route_localnet")
    outside = {*review.topology.uplinks, *review.topology.bridges}
    opened = [name for name, old, new in moved if not old and new and name in outside]
    closed = [name for name, old, new in moved if old and not new]
    if opened:
        guard = not any(_reaches(review.after, name) for name in opened)
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{change.node} takes packets for 127.0.0.0/8 from {listed(opened)}"
                + (
                    "; a rule drops those that were not translated."
                    if guard
                    else ", and no rule drops them: neighbours of that network reach programs that listen on 127.0.0.1 only."
                )
            ),
            exposes=not guard,
            side_effects=() if guard else ("security-exposure",),
            onset=change.horizon,
            remedy=""
            if guard
            else "Add `iptables -A INPUT ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate "
            "RELATED,ESTABLISHED,DNAT -j DROP` first.",
        )
    elif closed:
        yield from _closed(change, review)


def _closed(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """NodePorts and host ports of the node are no longer reached as 127.0.0.1."""
    node_ports, host_ports = review.topology.node_ports, review.topology.host_ports
    used = bool(node_ports or host_ports)
    classes = [TrafficClass.EXTERNAL_TO_NODEPORT_LB] if node_ports else []
    classes += [TrafficClass.HOSTPORT] if host_ports else []
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Programs on {change.node} no longer reach {counted(len(node_ports) + len(host_ports), 'node or host port')} as "
            f"127.0.0.1, for example an image registry in the cluster; from outside they work."
            if used
            else f"Only translations of 127.0.0.1 to pods end on {change.node}, and it has no NodePort or host port."
        ),
        breaks=(classes[0],) if classes else (),
        extent=Extent.PARTIAL if used else Extent.NONE,
        onset=change.horizon,
        confidence=Confidence.LIKELY if used else Confidence.PROVEN,
        remedy="Use the node's own address instead of 127.0.0.1, or keep the value.",
    )


def _reaches(state: NodeState, link: str) -> bool:
    """Whether a packet for 127.0.0.1 that a neighbour sends by the link is, or may be, handed to a program."""
    near = next(
        (
            first_address(address.prefix)
            for own in state.links
            for address in own.addresses
            if own.name == link and address.family == "ip" and address.length < 31
        ),
        outside("ip", state),
    )
    flow = Flow(
        source=near, destination="127.0.0.1", source_port=40000, destination_port=LOCAL_ONLY, entry=Entry(link=link)
    )  # fmt: skip
    ends = {end.disposition for found in trace(state, flow) for end in (found.alternatives or (found,))}
    return bool(ends & {Disposition.DELIVERED, Disposition.UNKNOWN})


RISK = Risk[SysctlChange](
    id="route-localnet",
    title="Loopback addresses are reachable from the network, or NodePorts on 127.0.0.1 stop",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.route_localnet",),
    judge=judge,
    sources=(
        "Linux, net/ipv4/route.c ip_route_input_slow(), IN_DEV_ROUTE_LOCALNET; measured",
        "CVE-2020-8558; Kubernetes, kube-proxy --iptables-localhost-nodeports",
    ),
    verify="sysctl -a -r 'net.ipv4.conf.*route_localnet'",
)

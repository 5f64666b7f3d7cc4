"""The `flows` fence of a scenario: packets in the language of `netchange trace`, and what becomes of each before and after.

A table: the packet, what becomes of it before the change, and what becomes of it once the change is applied. Where
chance decides, all that may happen stands there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from page import Scenario, node_of

from planner.dataplane.flow_text import read_flow
from planner.dataplane.trace import trace
from planner.models.flow import Disposition, Flow, Trace
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose
from planner.sysctls.names import conf

HEAD = ("| packet | before | after |", "| --- | --- | --- |")


@dataclass(frozen=True, slots=True)
class Row:
    """One packet of a fence."""

    packet: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"| {self.packet} | {self.before} | {self.after} |"


def rows(scenario: Scenario) -> Iterator[Row]:
    """The packets that a scenario lists. In a fence being written the outcomes may be left out."""
    for line in scenario.flows.splitlines():
        if line in HEAD or not line.strip():
            continue
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        yield Row(*cells, *[""] * (3 - len(cells)))


def router(node: NodeState) -> NodeState:
    """With the sysctls that packets hang on where a page leaves them out: a router, and else what a kernel starts with."""
    given = node.sysctls
    values = {"net.bridge.bridge-nf-call-iptables": "1", "net.bridge.bridge-nf-call-ip6tables": "1"}
    for family, switch, keys in (
        ("ipv4", "net.ipv4.ip_forward", ("rp_filter", "accept_local", "route_localnet", "src_valid_mark")),
        ("ipv6", "net.ipv6.conf.all.forwarding", ("disable_ipv6",)),
    ):
        forwards = given.get(switch, "1")
        values[switch] = forwards
        for name in ("all", "default", *(link.name for link in node.links)):
            values[conf(family, name, "forwarding")] = forwards
            values |= {conf(family, name, key): "0" for key in keys}
    return node.model_copy(update={"sysctls": values | given})


def states(scenario: Scenario) -> tuple[NodeState, NodeState]:
    """The node before, and as it is when everything has been applied."""
    node = router(node_of(scenario))
    outlook = propose(node, [recognise(path, text) for path, text in scenario.proposal.items()])
    return outlook.before[Horizon.NOW], outlook.after[Horizon.NOW]


def flow_of(row: Row, before: NodeState) -> Flow:
    """The packet: the link that it comes by is told by the routes before the change, where the fence does not say."""
    return read_flow(row.packet, before)


def outcome(state: NodeState, flow: Flow) -> str:
    """What becomes of it, in words."""
    return " or ".join(dict.fromkeys(told(flow, trace(state, flow))))


def told(flow: Flow, traces: Iterable[Trace]) -> Iterator[str]:
    """Every ending, as the fence tells it."""
    for one in sorted(traces, key=lambda one: (one.link, one.next_hop, str(one.after))):
        words = [str(one.disposition)]
        if one.disposition is Disposition.SENT:
            words = [f"sent by {one.link} to {one.next_hop}"]
        elif one.disposition is Disposition.BRIDGED and one.port:
            words = [f"bridged to {one.port}"]
        elif one.disposition is Disposition.UNKNOWN:
            words = [f"unknown: {one.reason}"]
        elif one.reject_kind:
            words.append(f"({one.reject_kind})")
        after = one.after
        if after is not None:
            if (after.source, after.source_port) != (flow.source, flow.source_port):
                words.append(f"from {_end(after.source, after.source_port)}")
            if (after.destination, after.destination_port) != (flow.destination, flow.destination_port):
                words.append(f"as {_end(after.destination, after.destination_port)}")
        yield " ".join(words)


def _end(address: str, port: int) -> str:
    wide = f"[{address}]" if ":" in address and port else address
    return f"{wide}:{port}" if port else wide


def filled(scenario: Scenario) -> str:
    """The fence as it should be."""
    before, after = states(scenario)
    found = []
    for row in rows(scenario):
        flow = flow_of(row, before)
        found.append(Row(row.packet, outcome(before, flow), outcome(after, flow)))
    return "\n".join((*HEAD, *map(str, found))) + "\n"

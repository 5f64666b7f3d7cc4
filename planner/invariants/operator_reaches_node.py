"""Whoever has to mend the node reaches it by ssh: open sessions go on, new ones open, answers come.

The session that applies a change is among them. Where rules let in only certain networks, one of these stands for the
operator, and everybody else for the rest.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_network

from planner.invariants.ground import Ground, Spot
from planner.invariants.invariant import REMOTE_PORT, Invariant, opening
from planner.models.flow import Binding, Entry, Flow
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass
from planner.topology.owners import after, owner_of_chain

SSH = 22
ACK = 0x10
MOST = 2
"""Networks of operators that are asked."""
ELSEWHERE = "elsewhere"
LONGEST = 256
"""Rules of a chain that are read in search of them."""


def _paths(ground: Ground) -> Iterator[Path]:
    if not ground.own or ground.outside is None:
        return
    port = ssh_port(ground)
    operators = list(_operators(ground, port))
    for client in operators or [ground.outside]:
        flow = opening(ground, client, ground.own, port)
        yield INVARIANT.path(
            f"open/{client.address}",
            f"open ssh sessions{ground.also}, the one that applies this among them",
            _established(flow),
            ends_at=("local",),
            cuts_undo=ground.main,
            everybody=ground.main,
        )
        yield INVARIANT.path(
            f"new/{client.address}",
            f"new ssh connections{ground.also} (tcp {port} from {client.address})",
            flow,
            ends_at=("local",),
            cuts_undo=ground.main,
            everybody=ground.main,
        )
    if operators:
        yield INVARIANT.path(
            f"{ELSEWHERE}/{ground.outside.address}",
            f"new ssh connections{ground.also} from other networks than those that rules name (tcp {port} from {ground.outside.address})",
            opening(ground, ground.outside, ground.own, port),
            ends_at=("local",),
            everybody=False,
        )


def ssh_port(ground: Ground) -> int:
    """Where sshd listens."""
    found = (item.port for item in ground.state.volatile.listeners if "sshd" in item.process)
    return next(found, SSH)


def _established(flow: Flow) -> Flow:
    """A packet in the middle of it."""
    binding = Binding(
        source=flow.source,
        destination=flow.destination,
        source_port=REMOTE_PORT,
        destination_port=flow.destination_port,
    )
    return flow.model_copy(update={"state": "ESTABLISHED", "tcp_flags": ACK, "binding": binding})


def _operators(ground: Ground, port: int) -> Iterator[Spot]:
    """Networks that rules let in by name, before or after: for ssh, or for everything."""
    asks = re.compile(rf"(?:--dport {port}|--dports (?:\S*,)?{port}(?:,\S*)?)(?: |$)")
    found: dict[str, Spot] = {}
    for text in _rules(ground):
        source, destination = after(text, " -s "), after(text, " -d ")
        if (
            not source
            or destination
            or not (asks.search(text) or " --" not in text.replace(" --comment ", ""))
        ):
            continue
        spared = (
            f" {text}".startswith(" ! -s ") and text.endswith((" -j DROP", "REJECT")) and asks.search(text)
        )
        let_in = " ! " not in f" {text}" and text.endswith(" -j ACCEPT")
        spot = _within(ground, source) if spared or let_in else None
        if spot is not None:
            found.setdefault(spot.address, spot)
    yield from list(found.values())[:MOST]


def _rules(ground: Ground) -> Iterator[str]:
    """Of filter chains that packets for the node may meet, and that no agent writes."""
    for state in (ground.state, *ground.later):
        for ruleset in state.rulesets:
            table = ruleset.tables.get("filter") if ruleset.family == ground.family else None
            for chain, rules in table.chains.items() if table is not None else ():
                if chain not in {"FORWARD", "OUTPUT"} and owner_of_chain(chain) in {"", "ufw", "firewalld"}:
                    yield from rules[:LONGEST]


def _within(ground: Ground, prefix: str) -> Spot | None:
    net = ip_network(prefix, strict=False)
    address = str(net[0] if net.num_addresses == 1 else net[min(9, net.num_addresses - 1)])
    leg = ground.leg(address)
    inner = {*ground.topology.pod_links, *ground.topology.bridges, *ground.topology.overlay_links, "lo"}
    if leg is None or address in ground.addresses or leg.link in inner:
        return None
    return Spot(address, Entry(link=leg.link), f"the operator ({address})")


INVARIANT = Invariant(
    id="operator-reaches-node",
    title="The operator reaches the node by ssh",
    words="the operator to the node",
    breaks=(TrafficClass.NODE_MANAGEMENT,),
    paths=_paths,
    control=True,
    sources=(
        "sshd(8)",
        "measured: the order of DROP and the ESTABLISHED accept decides over the running session",
    ),
)

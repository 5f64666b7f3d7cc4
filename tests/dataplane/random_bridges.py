"""The random nodes with a bridge: pods behind its ports, rules that ask for ports, frames that only cross."""

import random

from random_states import change, change_services, make_flow, make_services, make_state
from random_states6 import make_flow6, six, wide

from planner.models.flow import Entry, Flow
from planner.models.link import ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState
from planner.models.ruleset import Ruleset

PORTS = ("veth1", "veth2", "veth3")
BEHIND = {"10.0.0.2": "veth1", "10.0.0.77": "veth2", "10.0.0.9": "veth3", "10.0.1.7": "veth3"}
PHYSDEV = {
    "-i cni0": "-m physdev --physdev-in veth1", "-i eth+": "-m physdev --physdev-in veth+",
    "-i lo": "-m physdev --physdev-is-bridged", "-m mark --mark 0x1": "-m physdev --physdev-out veth2",
    "-m addrtype --dst-type LOCAL": "-m physdev --physdev-is-in", "-m tos --tos 0x10/0x3f": "-m physdev --physdev-is-out",
}  # fmt: skip


def on_bridge(state: NodeState, seed: int, *, calls: str) -> NodeState:
    """The node whose pods are behind a bridge."""
    rng = random.Random(seed)
    family = state.rulesets[0].family
    shown = wide if family == "ip6" else str
    links = tuple(
        link.model_copy(update={"kind": "bridge"}) if link.name == "cni0" else link for link in state.links
    )
    ports = tuple(
        Link(
            name=name, index=20 + at, kind="veth", master="cni0", peer_elsewhere=True,
            options={"hairpin": rng.choice(("on", "off"))},
        )
        for at, name in enumerate(PORTS)
    )  # fmt: skip
    macs = {address: f"02:00:00:00:00:{at:02x}" for at, address in enumerate(BEHIND, 1)}
    tables = {
        name: table.model_copy(
            update={"chains": {chain: tuple(map(_asks_ports, held)) for chain, held in table.chains.items()}}
        )
        for name, table in state.rulesets[0].tables.items()
    }
    key = "net.bridge.bridge-nf-call-ip6tables" if family == "ip6" else "net.bridge.bridge-nf-call-iptables"
    return state.model_copy(
        update={
            "links": (*links, *ports), "sysctls": {**state.sysctls, key: calls},
            "neighbours": tuple(
                Neighbour(address=shown(address), link="cni0", mac=mac) for address, mac in macs.items()
            ),
            "fdb": tuple(
                ForwardingEntry(mac=macs[address], link=port, master="cni0") for address, port in BEHIND.items()
            ),
            "rulesets": (Ruleset(family=family, backend="nft", tables=tables),),
        }
    )  # fmt: skip


def _asks_ports(rule: str) -> str:
    for old, new in PHYSDEV.items():
        if len(rule) % 2:
            rule = rule.replace(f"! {old}", old).replace(old, new)
    return rule


def bridged_states(seed: int, family: str) -> tuple[NodeState, NodeState]:
    """A node with a bridge, and the same with one change."""
    rng = random.Random(seed)
    before = make_services(seed) if seed % 2 else make_state(seed)
    after = change_services(seed, before) if seed % 2 else change(seed, before)
    calls = rng.choice("1110")
    if seed % 5 == 0:
        after, other = before, "0" if calls == "1" else "1"
    else:
        other = calls
    if family == "ip6":
        before, after = six(before, seed), six(after, seed)
        if seed % 2:
            calm = {"net.ipv6.conf.all.forwarding": "1"}
            before, after = (one.model_copy(update={"sysctls": calm}) for one in (before, after))
    return on_bridge(before, seed, calls=calls), on_bridge(after, seed, calls=other)


def bridged_flow(rng: random.Random, family: str) -> Flow:
    """A packet, most of the time by a port of the bridge."""
    flow = make_flow6(rng) if family == "ip6" else make_flow(rng)
    if not flow.entry.link or rng.random() < 0.2:
        return flow
    port = rng.choice(PORTS)
    across = rng.random() < 0.4
    entry = Entry(
        link="cni0", bridge_port=port, to_router=not across,
        out_port=rng.choice([other for other in PORTS if other != port]) if across else "",
    )  # fmt: skip
    return flow.model_copy(update={"entry": entry})

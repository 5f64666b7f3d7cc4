"""Rules of one form taken together, and destinations that nothing tells apart taken as one: the same answers."""

import random

import pytest
from random_states import change, make_flow, make_state
from test_symbolic import apart, cube

from planner.dataplane.packets.space import PacketSet
from planner.dataplane.symbolic.compare import Analysis
from planner.dataplane.symbolic.constants import Classes, Constants
from planner.dataplane.symbolic.dispatch import Dispatch
from planner.dataplane.trace import trace
from planner.models.flow import Disposition, Flow
from planner.models.node import NodeState
from planner.models.route import NextHop, Route
from planner.models.ruleset import Ruleset, Table

PODS = ("10.0.0.2", "10.0.0.9", "10.0.1.7", "10.0.2.3", "8.8.8.8", "10.1.0.9", "192.168.0.10", "99.9.9.9")
MORE = (
    "10.0.0.2",
    "10.0.1.7",
    *(f"{net}.{at}" for net in ("10.0.0", "10.0.1", "20.0.0") for at in range(40, 48)),
)
ADDRESSES = ("99.9.9.9", "99.9.9.1", "10.0.2.130", "8.8.8.8", "10.0.1.1")
PORTS = (80, 443, 53, 8080)


def service(
    rng: random.Random, number: int, *, usual: int
) -> tuple[list[str], list[str], dict[str, tuple[str, ...]]]:
    """Rules as kube-proxy writes them: for the dispatch chain, for node ports, and chains of one service."""
    plain = rng.random() < 0.7
    address, port, protocol = rng.choice(ADDRESSES), rng.choice(PORTS), rng.choice(("tcp", "tcp", "udp"))
    if plain:
        address, port, protocol = f"99.9.9.{number}", 80, "tcp"
    key = f'-d {address}/32 -p {protocol} -m comment --comment "s{number} cluster IP" -m {protocol} --dport {port}'
    chain, external = f"KUBE-SVC-{number}", f"KUBE-EXT-{number}"
    pods = rng.sample(MORE if plain else PODS, usual if plain else rng.choice((1, 1, 2, 2, 3)))
    rules = []
    if plain:
        rules.append(f"! -s 10.0.0.0/16 {key} -j KUBE-MARK-MASQ")
    elif rng.random() < 0.8:
        rules.append(f"{rng.choice(('! -s 10.0.0.0/16', '-s 10.0.1.0/24'))} {key} -j KUBE-MARK-MASQ")
    chains: dict[str, tuple[str, ...]] = {}
    for at, pod in enumerate(pods):
        name = f"KUBE-SEP-{number}-{at}"
        chance = f"-m statistic --mode random --probability {1 / (len(pods) - at):.11f} "
        rules.append(
            f'-m comment --comment "s{number} -> {pod}" {chance if at < len(pods) - 1 else ""}-j {name}'
        )
        recent = (
            f"-m recent --set --name {name} --mask 255.255.255.255 --rsource "
            if number % 5 == 0 and not plain
            else ""
        )
        to = pod if rng.random() < 0.1 and not plain else f"{pod}:{rng.choice(PORTS)}"
        chains[name] = (
            f'-s {pod}/32 -m comment --comment "s{number}" -j KUBE-MARK-MASQ',
            f'-p {protocol} -m comment --comment "s{number}" {recent}-m {protocol} -j DNAT --to-destination {to}',
        )
    chains[chain] = tuple(rules)
    chains[external] = ("-j KUBE-MARK-MASQ", f"{rng.choice(('', '', '-s 10.0.0.0/24 '))}-j {chain}")
    node_port = [f"-p {protocol} -m {protocol} --dport {30000 + number % 7} -j {external}"]
    end = (
        f"-j {chain}"
        if plain
        else rng.choice((f"-j {chain}", f"-j {chain}", f"-g {chain}", f"-j {external}", "-j RETURN"))
    )
    return [f"{key} {end}"], node_port if rng.random() < 0.4 else [], chains


def node(seed: int) -> NodeState:
    """A node that serves services by dispatch chains."""
    rng = random.Random(seed)
    state = make_state(seed)
    usual = rng.choice((1, 2, 3))
    parts = [service(rng, number, usual=usual) for number in range(rng.randrange(4, 16))]
    chains: dict[str, tuple[str, ...]] = {"KUBE-MARK-MASQ": ("-j MARK --set-xmark 0x4000/0x4000",)}
    for _, _, more in parts:
        chains |= more
    chains["KUBE-NODEPORTS"] = tuple(text for _, ports, _ in parts for text in ports)
    chains["KUBE-SERVICES"] = (
        *(text for rules, _, _ in parts for text in rules),
        "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
    )
    dispatch = ('-m comment --comment "kubernetes service portals" -j KUBE-SERVICES',)
    chains |= {
        "PREROUTING": dispatch, "OUTPUT": dispatch, "INPUT": (),
        "POSTROUTING": ("-m mark ! --mark 0x4000/0x4000 -j RETURN", "-j MASQUERADE"),
    }  # fmt: skip
    held = state.rulesets[0].tables
    filtered = held["filter"].chains
    blocked = [
        f"-d {rng.choice(ADDRESSES)}/32 -p tcp -m tcp --dport {rng.choice(PORTS)} -j {rng.choice(('DROP', 'REJECT --reject-with icmp-port-unreachable'))}"
        for _ in range(rng.randrange(6))
    ]
    tables = {
        "nat": Table(name="nat", policies=dict.fromkeys(("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"), "ACCEPT"), chains=chains),
        "filter": held["filter"].model_copy(
            update={"chains": {**filtered, "FORWARD": (*blocked, *filtered["FORWARD"])}}
        ),
    }  # fmt: skip
    if "mangle" in held and rng.random() < 0.4:
        tables["mangle"] = held["mangle"]
    routes = (
        *state.routes,
        Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="192.168.0.1", link="eth0"),)),
    )
    sysctls = {key: "1" if key.endswith("forwarding") else "0" for key in state.sysctls}
    return state.model_copy(
        update={
            "rulesets": (Ruleset(family="ip", backend="nft", tables=tables),), "routes": routes,
            "sysctls": sysctls if rng.random() < 0.7 else state.sysctls, "policy_rules": () if rng.random() < 0.7 else state.policy_rules,
        }
    )  # fmt: skip


def sure_and_possible(analysis: Analysis, where: PacketSet) -> tuple[PacketSet, PacketSet]:
    """Headers that are treated differently whatever is drawn, and those for which it may be so."""
    return ~analysis.space.possible(~where), analysis.space.possible(where)


def both(seed: int) -> tuple[NodeState, NodeState, Analysis]:
    before = node(seed)
    after = change(seed, before)
    analysis = Analysis(before, after)
    analysis.dispatch = Dispatch(analysis.space, Constants(analysis.views), least=0, fewest=1)
    return before, after, analysis


@pytest.mark.parametrize("seed", range(150))
def test_together_and_one_by_one_differ_in_the_same_packets(seed: int) -> None:
    """What is different, for certain and for some draw, does not hang on how rules and destinations were taken together."""
    _, _, analysis = both(seed)
    for order, entry in analysis.entries():
        alone = apart(analysis, order, analysis.ends(order, entry))
        together = apart(analysis, order, analysis.ends(order, entry, together=True))
        short = apart(analysis, order, analysis.ends(order, entry, together=True, whole=False))

        assert sure_and_possible(analysis, alone) == sure_and_possible(analysis, together)
        assert sure_and_possible(analysis, alone) == sure_and_possible(analysis, short)


def told(state: NodeState, flow: Flow) -> set[tuple[Disposition, str]]:
    return {(one.disposition, one.link) for one in trace(state, flow)}


@pytest.mark.parametrize("seed", range(60))
def test_packets_taken_together_end_as_their_traces_say(seed: int) -> None:
    """Taken together, a packet still ends in the way and on the link that its trace names."""
    before, after, analysis = both(seed + 500)
    rng = random.Random(seed)
    flows = [make_flow(rng) for _ in range(25)]
    for order, entry in analysis.entries():
        ends = analysis.ends(order, entry, together=True)
        for flow in flows:
            one = cube(analysis, flow) & entry
            if not one.satisfiable():
                continue
            for side, state in enumerate((before, after)):
                parts = [(pair[side], where & one) for pair, where in ends.items()]
                found = {(end.disposition, end.link) for end, part in parts if part.satisfiable()}
                asked = [oracle for _, part in parts for oracle in analysis.space.oracles_of(part)]
                expected = told(state, flow)
                if Disposition.UNKNOWN not in {end for end, _ in expected | found}:
                    assert expected <= found
                    assert expected == found or any(oracle.chance is None for oracle in asked)


def test_numbers_in_the_same_intervals_are_one() -> None:
    """What no question tells apart shares the first one that was asked for."""
    classes = Classes([((10, 19),), ((15, 15), (40, 49))])

    assert [12, 12, 15, 45, 45, 5, 5] == [classes.of(value) for value in (12, 18, 15, 45, 41, 5, 30)]

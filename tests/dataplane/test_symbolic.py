"""What is said of all packets at once, against one packet at a time."""

import random
import re
from collections.abc import Iterator
from functools import partial

import pytest
from random_bridges import bridged_flow, bridged_states
from random_native import changed_native, with_native
from random_states import change, change_services, make_flow, make_services, make_state, with_both
from random_states6 import make_flow6, states6

from planner.dataplane.hash import scaled_hash
from planner.dataplane.native import Native
from planner.dataplane.packet import number, show
from planner.dataplane.packets.layout import STATES, WITH_PORTS, Part
from planner.dataplane.packets.space import PacketSet
from planner.dataplane.symbolic.classes import OpenEnds, differing, settled
from planner.dataplane.symbolic.compare import Analysis, compare
from planner.dataplane.symbolic.form import End
from planner.dataplane.symbolic.lockstep import Ends
from planner.dataplane.trace import trace
from planner.models.comparison import Exactness
from planner.models.flow import Disposition, Flow, Trace
from planner.models.node import NodeState

Outcome = tuple[object, ...]
UNKNOWN: Outcome = (Disposition.UNKNOWN,)
WHOLE = 9
"""Parts of the outcome of a packet of which something is left."""


def cube(analysis: Analysis, flow: Flow) -> PacketSet:
    """The set of one packet."""
    space = analysis.space
    values = {
        Part.PROTOCOL: flow.protocol,
        Part.SOURCE: number(flow.source),
        Part.DESTINATION: number(flow.destination),
        Part.SOURCE_PORT: flow.source_port,
        Part.DESTINATION_PORT: flow.destination_port,
        Part.ICMP_TYPE: flow.icmp_type,
        Part.ICMP_CODE: flow.icmp_code,
        Part.TCP_FLAGS: flow.tcp_flags,
        Part.TOS: flow.tos,
        Part.HOP_LIMIT: flow.hop_limit,
        Part.LENGTH: flow.length,
        Part.STATE: STATES.index(flow.state),
        Part.IN_LINK: analysis.names.index(flow.entry.link)
        if flow.entry.link in analysis.names
        else len(analysis.names),
        Part.IN_PORT: analysis.space.names[Part.IN_PORT].index(flow.entry.bridge_port)
        if flow.entry.bridge_port
        else 0,
        Part.OUT_PORT: analysis.space.names[Part.OUT_PORT].index(flow.entry.out_port)
        if flow.entry.out_port
        else 0,
        Part.USER: flow.entry.user or 0,
        Part.SOURCE_MAC: int(flow.source_mac.replace(":", "") or "0", 16),
    }
    found = space.all
    for part, value in values.items():
        found = found & space.equals(part, value)
    return found


def shown(end: End, flow: Flow) -> Outcome:
    """An end as this packet shows it."""
    if end.disposition is Disposition.UNKNOWN:
        return UNKNOWN
    if end.disposition not in {Disposition.SENT, Disposition.DELIVERED, Disposition.BRIDGED}:
        return (end.disposition, end.reject_kind)
    end = settled(end, {Part.DESTINATION: number(flow.destination), Part.SOURCE: number(flow.source)})
    destination = (
        flow.destination if not isinstance(end.destination, int) else show(end.destination, flow.family)
    )
    source = flow.source if not isinstance(end.source, tuple) else show(end.source[0], flow.family)
    ported = flow.protocol in WITH_PORTS
    return (
        end.disposition, flow.entry.out_port if end.by_port else end.link,
        (end.hop or destination) if end.link or end.disposition is Disposition.BRIDGED else "",
        source, destination,
        (flow.source_port if end.source_ports is None else 0) if ported else 0,
        (flow.destination_port if end.destination_port is None else end.destination_port) if ported else 0,
        flow.tos if end.tos is None else end.tos[flow.tos],
        flow.hop_limit if end.hop_limit is None else end.hop_limit[flow.hop_limit],
    )  # fmt: skip


def told(one: Trace) -> Outcome:
    """A trace in the same words."""
    if one.disposition is Disposition.UNKNOWN:
        return UNKNOWN
    if one.after is None:
        return (one.disposition, one.reject_kind)
    after = one.after
    return (
        one.disposition, one.link, one.next_hop, after.source, after.destination, after.source_port,
        after.destination_port, after.tos, after.hop_limit,
    )  # fmt: skip


def outcomes(ends: Ends, side: int, one: PacketSet, flow: Flow) -> set[Outcome]:
    return {shown(pair[side], flow) for pair, where in ends.items() if (where & one).satisfiable()}


def apart(analysis: Analysis, order: tuple[str, ...], ends: Ends) -> PacketSet:
    """Every packet that is treated differently."""
    space = analysis.space
    still_open = OpenEnds(order, analysis.changed.stages)
    return space.union(
        [
            where if one == other and still_open(one) else differing(space, one, other, where)
            for (one, other), where in ends.items()
        ]
    )


DRAWN = re.compile(r":\d+-\d+ --random")


def rules_of(state: NodeState) -> Iterator[str]:
    """Every rule of iptables."""
    for ruleset in state.rulesets:
        for table in ruleset.tables.values():
            for rules in table.chains.values():
                yield from rules


def unported(one: Outcome) -> Outcome:
    """Without the port of a destination."""
    return (*one[:6], 0, *one[7:]) if len(one) == WHOLE else one


def chosen(analysis: Analysis, flow: Flow) -> PacketSet:
    """The answers that the kernel's hash of addresses gives for one packet, where NAT chooses among several."""
    found = analysis.space.all
    for key, oracle in analysis.space._oracles.items():
        match key:
            case ("spread", int(low), int(high), int(address), source, asked, bool(persistent)):
                now = number(flow.source) if source is None else source[0]
                other = number(flow.destination) if asked is None else asked
                picked = scaled_hash(now, other, (low, high), flow.family, persistent=persistent)
                found = found & (oracle.yes if picked == address else ~oracle.yes)
            case _:
                pass
    return found


def disagreement(
    analysis: Analysis, before: NodeState, after: NodeState, flow: Flow, ends: Ends, one: PacketSet
) -> str:
    """Empty when the sets and the traces say the same of one packet."""
    for side, state in enumerate((before, after)):
        expected = {told(each) for each in trace(state, flow)}
        found = outcomes(ends, side, one & chosen(analysis, flow), flow)
        if any(DRAWN.search(rule) for rule in rules_of(state)):
            # A trace has no number for a port that the kernel draws.
            expected, found = {unported(each) for each in expected}, {unported(each) for each in found}
        if UNKNOWN in expected or UNKNOWN in found:
            # What is not known to one may be known to the other; a certain answer must be among the possible ones.
            if UNKNOWN not in expected and not expected <= found | {UNKNOWN}:
                return f"side {side}: {flow!r}\n traces {expected}\n sets {found}"
            if UNKNOWN not in found and UNKNOWN not in expected:
                return f"side {side}: {flow!r}\n traces {expected}\n sets {found}"
        elif expected != found:
            return f"side {side}: {flow!r}\n traces {sorted(map(str, expected))}\n sets   {sorted(map(str, found))}"
    return ""


def states(seed: int, family: str = "ip") -> tuple[NodeState, NodeState]:
    """A node with anything in it, or one that serves services; and the same with one change."""
    if family.startswith("bridged"):
        return bridged_states(seed, family.removeprefix("bridged "))
    if family == "ip6":
        return states6(seed)
    if family == "nft ip":
        before = with_native(seed, make_services(seed) if seed % 2 else make_state(seed))
        if seed % 3:
            return before, changed_native(seed, before)
        return before, change_services(seed, before) if seed % 2 else change(seed, before)
    if family == "two ip":
        before = with_both(seed, make_services(seed) if seed % 2 else make_state(seed))
        return before, change_services(seed, before) if seed % 2 else change(seed, before)
    if seed % 2:
        before = make_services(seed)
        return before, change_services(seed, before)
    before = make_state(seed)
    return before, change(seed, before)


MAKERS = {
    "ip": make_flow, "ip6": make_flow6, "bridged ip": partial(bridged_flow, family="ip"),
    "bridged ip6": partial(bridged_flow, family="ip6"), "nft ip": make_flow, "two ip": make_flow,
}  # fmt: skip
"""Sorts of nodes, with packets for them."""


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("seed", range(50))
def test_sets_and_traces_agree(seed: int, family: str) -> None:
    """Every packet of a random node ends, in the sets, exactly as its trace says: before and after a change."""
    before, after = states(seed, family)
    analysis = Analysis(before, after, family=family.rpartition(" ")[2])
    rng = random.Random(seed)
    flows = [MAKERS[family](rng) for _ in range(40)]
    for order, entry in analysis.entries():
        ends = analysis.ends(order, entry)
        for flow in flows:
            one = cube(analysis, flow)
            if (one & entry).satisfiable():
                assert "" == disagreement(analysis, before, after, flow, ends, one)


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("seed", range(50))
def test_the_region_holds_every_difference(seed: int, family: str) -> None:
    """Looking only at packets that the change can touch finds what looking at all of them finds."""
    before, after = states(seed + 1000, family)
    analysis = Analysis(before, after, family=family.rpartition(" ")[2])
    region = analysis.region()
    for order, entry in analysis.entries():
        every = apart(analysis, order, analysis.ends(order, entry))
        some = apart(analysis, order, analysis.ends(order, entry & region))

        if every != some:
            # Of packets that do not meet the change it may not be known what becomes of them, and less so with one chain more that
            # may come first or last. A change that no packet at all meets moves none.
            assert some == every & some
            assert asked_together(before) != asked_together(after) or not region.satisfiable()


def asked_together(state: NodeState) -> set[tuple[str, ...]]:
    """Chains of nft whose order among others of the same priority hangs on what came first, where they do anything."""
    space = [one for one in Native(state.native).attached("ip") if one.table.chains[one.base.name]]
    return {(one.base.hook, str(one.base.priority), one.base.name) for one in space}


def ways(state: NodeState, flow: Flow) -> list[Trace]:
    """Every way that a packet may take; what is not known (which chain is asked first) may not matter to the difference."""
    return [way for one in trace(state, flow) for way in (one.alternatives or (one,))]


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("seed", range(40))
def test_witnesses_show_what_their_class_says(seed: int, family: str) -> None:
    """The witness of an exact class, traced, ends before and after as the class says; others of no class are alike."""
    before, after = states(seed + 2000, family)
    found = compare(before, after)
    for one in found.classes:
        if one.exactness is not Exactness.EXACT:
            continue
        old, new = ways(before, one.witness), ways(after, one.witness)

        assert one.before.disposition in {each.disposition for each in old}
        assert one.after.disposition in {each.disposition for each in new}
        if not one.chances:
            assert {told(each) for each in old} != {told(each) for each in new}
    if found.equivalent:
        rng = random.Random(seed)
        for _ in range(30):
            flow = MAKERS[family](rng)
            old, new = trace(before, flow), trace(after, flow)
            assert {told(each) for each in old} == {told(each) for each in new}

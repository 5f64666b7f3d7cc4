"""What becomes of all packets on one node, against one packet at a time; and how it is told."""

import random
from itertools import combinations
from pathlib import Path

import pytest
from small_node import node
from test_symbolic import MAKERS, UNKNOWN, cube, states, told

from planner.dataplane.packet import number, show
from planner.dataplane.packets.layout import Part
from planner.dataplane.symbolic.chains import Budget
from planner.dataplane.symbolic.classes import settled
from planner.dataplane.symbolic.form import End
from planner.dataplane.symbolic.reach import Reached, reach
from planner.dataplane.trace import trace
from planner.models.comparison import PASSES, Exactness
from planner.models.flow import Disposition, Flow
from planner.models.reach import Heading
from planner.models.traffic import PacketBox

DEMO = str(Path(__file__).parents[2] / "docs/demo/node.json.gz")
TOLD = 2, 3, 4, 6
"""Of an outcome as `told` gives it: next hop, addresses and the port of the destination. Of the source's port, the octet and the hop limit groups say nothing."""
Shown = tuple[object, ...]


def shown(end: End, flow: Flow) -> Shown:
    """An end as this packet shows it."""
    if end.disposition is Disposition.UNKNOWN:
        return UNKNOWN
    if end.disposition not in PASSES:
        return (end.disposition, end.reject_kind)
    end = settled(end, {Part.DESTINATION: number(flow.destination), Part.SOURCE: number(flow.source)})
    destination = (
        flow.destination if not isinstance(end.destination, int) else show(end.destination, flow.family)
    )
    source = flow.source if not isinstance(end.source, tuple) else show(end.source[0], flow.family)
    port = flow.destination_port if end.destination_port is None else end.destination_port
    link = flow.entry.out_port if end.by_port else end.link
    hop = (end.hop or destination) if end.link or end.disposition is Disposition.BRIDGED else ""
    ported = flow.protocol in {6, 17, 33, 132, 136}
    return (end.disposition, link, hop, source, destination, port if ported else 0)


def traced(outcome: tuple[object, ...]) -> Shown:
    """The outcome of a trace, without what groups say nothing of."""
    if len(outcome) <= 2:
        return outcome
    return (*outcome[:2], *(outcome[at] for at in TOLD))


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("seed", range(12))
def test_a_packet_is_in_the_group_that_its_trace_ends_in(seed: int, family: str) -> None:
    """Of a random node, every packet's traces end in the groups that hold it, and in no others."""
    state = states(seed + 3000, family)[0]
    reached = Reached(state, family=family.rpartition(" ")[2])
    ends = reached.ends(reached.space.all)
    entering = reached.space.union([entry for _, entry in reached.analysis.entries()])
    rng = random.Random(seed)
    for _ in range(30):
        flow = MAKERS[family](rng)
        one = cube(reached.analysis, flow) & entering
        if not one.satisfiable():
            continue
        found = {shown(end, flow) for end, where in ends.items() if (where & one).satisfiable()}
        expected = {traced(told(each)) for each in trace(state, flow)}
        if UNKNOWN in expected:
            continue
        assert expected <= found | {UNKNOWN} if UNKNOWN in found else expected == found, repr(flow)


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("seed", range(12))
def test_groups_are_apart_and_leave_nothing_out(seed: int, family: str) -> None:
    """A packet with its draws is in exactly one group."""
    state = states(seed + 4000, family)[1]
    reached = Reached(state, family=family.rpartition(" ")[2])
    ends = reached.ends(reached.space.all)
    entering = reached.space.union([entry for _, entry in reached.analysis.entries()])

    assert entering == reached.space.union(list(ends.values()))
    assert not any((one & other).satisfiable() for one, other in combinations(ends.values(), 2))


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("seed", range(8))
def test_the_witness_of_a_group_ends_as_the_group_says(seed: int, family: str) -> None:
    """Traced, the witness of an exact group can end so; where nothing is drawn it ends in no other way."""
    state = states(seed + 5000, family)[0]
    for group in reach(state, family=family.rpartition(" ")[2]).groups:
        found = {each.disposition for each in trace(state, group.witness)}
        if group.exactness is Exactness.EXACT:
            assert group.ending.disposition in found
            assert group.chances or {group.ending.disposition} == found


def test_drops_are_told_apart_by_the_rule() -> None:
    """Two rules that drop, and a policy, are three groups, each with its own packets."""
    state = node(
        "filter FORWARD -p udp -j DROP\nfilter FORWARD -j GUARD\nfilter GUARD -s 10.0.0.0/24 -j DROP",
        policies={"filter FORWARD": "DROP"},
    )
    found = reach(state, within=PacketBox(links=("eth0",), destination=("10.244.1.2/32",)))
    dropped = {
        one.ending.reason: one for one in found.groups if one.ending.disposition is Disposition.DROPPED
    }

    assert {
        "-t filter -A FORWARD -p udp -j DROP", "-t filter -A GUARD -s 10.0.0.0/24 -j DROP", "policy of filter FORWARD",
    } == set(dropped)  # fmt: skip
    assert 17 == dropped["-t filter -A FORWARD -p udp -j DROP"].witness.protocol
    assert dropped["-t filter -A GUARD -s 10.0.0.0/24 -j DROP"].witness.source.startswith("10.0.0.")


def test_only_what_is_asked_for_is_told() -> None:
    """Restricted to a link and a destination, every witness is of them."""
    found = reach(node(), within=PacketBox(links=("pod1",), destination=("8.8.8.8/32",), protocols=(6,)))

    assert found.groups
    assert {("pod1", "8.8.8.8", 6)} == {
        (one.witness.entry.link, one.witness.destination, one.witness.protocol) for one in found.groups
    }
    assert "sent by eth0 via 10.0.0.1" == str(found.groups[0].ending)


def test_a_rule_that_is_not_modelled_makes_its_packets_unknown() -> None:
    """They are a group of their own, with the rule as the reason; the others are not touched by it."""
    found = reach(
        node("filter FORWARD -p tcp -j WEIRD --odd 1"),
        within=PacketBox(links=("pod1",), destination=("8.8.8.0/24",)),
    )
    unknown = [one for one in found.groups if one.exactness is Exactness.UNKNOWN]

    assert 1 == len(unknown)
    assert 6 == unknown[0].witness.protocol
    assert ("-p tcp -j WEIRD --odd 1",) == unknown[0].because


def test_a_condition_that_is_not_modelled_blurs_a_group() -> None:
    """Some packets go one way whatever the rule says; the group says by which rule others hang."""
    text = '-p tcp -m string --string "x" --algo bm --to 65535 -j DROP'
    found = reach(
        node(f"filter FORWARD {text}"), within=PacketBox(links=("pod1",), destination=("8.8.8.8/32",))
    )
    sent = next(one for one in found.groups if one.ending.disposition is Disposition.SENT)
    dropped = next(one for one in found.groups if one.ending.disposition is Disposition.DROPPED)

    assert Exactness.OVER_APPROXIMATED is sent.exactness
    assert 6 != sent.witness.protocol
    assert Exactness.UNKNOWN is dropped.exactness
    assert any("string" in one for one in (*sent.because, *dropped.because))


@pytest.mark.parametrize("visits", [0, 40, 150])
def test_what_exceeds_the_budget_is_unknown(visits: int) -> None:
    """Every packet that was not followed to its end is in a group that says so."""
    state = node("\n".join(f"filter FORWARD -s 10.9.{at}.0/24 -p tcp -j ACCEPT" for at in range(60)))
    found = reach(state, budget=Budget(visits))

    assert found.unfinished
    assert any("budget" in one.ending.reason for one in found.groups)
    assert not [
        one for one in found.groups if one.exactness is Exactness.EXACT and "budget" in one.ending.reason
    ]


def test_groups_that_are_not_told_are_counted() -> None:
    """As many as are asked for under each heading, the same ones as of all; no group is lost."""
    whole, some = reach(node()), reach(node(), most=2)

    assert {} == whole.more
    assert all(whole.count(heading) == some.count(heading) for heading in Heading)
    assert [
        one for heading in Heading for one in [g for g in whole.groups if g.heading is heading][:2]
    ] == list(some.groups)
    assert len(whole.groups) > len(some.groups)

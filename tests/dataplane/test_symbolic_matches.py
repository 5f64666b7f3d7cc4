"""Matches that look things up, for all packets at once, against one packet at a time: ipsets, and the match rpfilter."""

import random
from functools import partial

import pytest
from random_states import ASKED_SETS, make_flow, make_state
from random_states6 import make_flow6, six
from test_symbolic import cube

from planner.dataplane.ipset import member
from planner.dataplane.packet import packet_of
from planner.dataplane.rpfilter import meets_rpfilter
from planner.dataplane.symbolic.compare import Analysis
from planner.dataplane.symbolic.form import Form
from planner.dataplane.symbolic.match import Place
from planner.models.node import NodeState
from planner.netfilter.condition import InSet


def made(seed: int, family: str) -> NodeState:
    """With a set of the other family besides."""
    state = make_state(seed)
    wide = six(state, seed)
    mine, other = (wide, state) if family == "ip6" else (state, wide)
    others = next(held for held in other.ipsets if held.name == "hosts").model_copy(update={"name": "others"})
    return mine.model_copy(update={"ipsets": (*mine.ipsets, others)})


MAKERS = {"ip": make_flow, "ip6": make_flow6}


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("seed", range(20))
def test_sets_hold_what_they_hold_for_each_packet(seed: int, family: str) -> None:
    """Exceptions, ports, marks and sets of sets, for packets as they came and for translated ones."""
    state = made(seed, family)
    analysis = Analysis(state, state, family=family)
    sets, node = analysis.sides[0].matcher.ipsets, analysis.views[0].node
    meets, place = analysis.sides[0].matcher.meets, Place("prerouting", "mangle")
    rng = random.Random(seed)
    for flow in (MAKERS[family](rng) for _ in range(25)):
        packet, one = packet_of(flow), cube(analysis, flow)
        moved = Form(
            stage="", destination=packet.destination, destination_port=packet.destination_port,
            source=(packet.source, packet.source), source_ports=(packet.source_port or 0, packet.source_port or 0),
        )  # fmt: skip
        ported = flow.protocol in {6, 17}
        for text in (*ASKED_SETS, "others src"):
            name, _, sides = text.partition(" ")
            asked = InSet(name, tuple(sides.split(",")))
            expected = member(node.sets, name, packet, asked.directions)
            for form in (Form(stage=""), moved) if ported else (Form(stage=""),):
                found = sets.holding(asked, form, place.hook, partial(meets, form=form, place=place))

                assert found is not None
                assert expected == (one & found).satisfiable()


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("seed", range(40))
def test_the_way_back_is_that_of_each_packet(seed: int, family: str) -> None:
    """With every option of the match; where it is not known for all packets at once, that is said."""
    state = made(seed, family)
    analysis = Analysis(state, state, family=family)
    way_back, node = analysis.sides[0].matcher.way_back, analysis.views[0].node
    rng = random.Random(seed)
    arriving = [
        flow for flow in (MAKERS[family](rng) for _ in range(40)) if flow.entry.link in analysis.names[1:]
    ]
    for options in (
        "",
        " --loose",
        " --accept-local",
        " --validmark --invert",
        " --loose --accept-local --invert",
    ):
        found = way_back.meets(f"-m rpfilter{options}", Form(stage=""))
        for flow in arriving if found is not None else ():
            expected = meets_rpfilter(f"-m rpfilter{options}", packet_of(flow), node)

            assert expected == (cube(analysis, flow) & found).satisfiable()

"""What becomes of all packets of a node, against the kernel: each packet that is sent ends as one of the groups that hold it says."""

from random import Random

import pytest
from oracle.changes import marked
from oracle.compare import Tally, Verdict, compare
from oracle.flows import random_flows
from oracle.members import cube, traced
from oracle.probe import probe
from oracle.stage import Stage
from oracle.states import ANY, THEMES, load, random_state
from plan_node import observe

from planner.dataplane.symbolic.reach import Reached

SEEDS, PROBES = 12, 40
UNKNOWN_AT_MOST = 0.15


@pytest.mark.parametrize("seed", range(SEEDS))
def test_groups_say_what_the_kernel_does(seed: int) -> None:
    """All packets of a random node are followed at once; then some are sent."""
    state = random_state(seed + 7000, THEMES[seed // 2 % len(THEMES)] if seed % 2 else ANY)
    tally = Tally(states=1)
    with Stage() as stage:
        load(stage, state)
        reached = Reached(observe(stage.node), family=state.family)
        ends = reached.followed(reached.space.all)
        for flow in random_flows(state, Random(seed), PROBES):
            one = cube(reached.analysis, flow)
            holding = (
                [] if one is None else [end for end, where in ends.items() if (one & where).satisfiable()]
            )
            if holding:
                answer = probe(stage, flow)
                found = compare(flow, answer, marked(answer, tuple(traced(flow, end) for end in holding)))
                tally.add(found)
                assert found.verdict is not Verdict.DISAGREE, str(found)
    print(tally)

    assert tally.probes
    assert tally.verdicts[Verdict.UNKNOWN] <= UNKNOWN_AT_MOST * tally.probes + 2, str(tally)

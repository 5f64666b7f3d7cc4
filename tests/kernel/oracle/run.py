"""States loaded, observed as a snapshot would, and probed: the loop behind the random tests and the soak."""

from random import Random

from plan_node import observe

from oracle.compare import Comparison, Tally, Verdict, compare
from oracle.flows import random_flows
from oracle.probe import probe
from oracle.stage import Stage
from oracle.states import State, load, random_state, shrink
from planner.models.flow import Flow
from planner.models.node import NodeState

PROBES = 80


def traces(state: NodeState, flow: Flow):
    """What the model says."""
    from planner.dataplane.trace import trace

    return trace(state, flow)


def judge_seed(seed: int, *, probes: int = PROBES) -> tuple[Tally, list[Comparison]]:
    """All comparisons of one seed, and those that disagree."""
    state = random_state(seed)
    tally, bad = Tally(states=1), []
    with Stage() as stage:
        load(stage, state)
        seen = observe(stage.node)
        for flow in random_flows(state, Random(seed), probes):
            found = compare(flow, probe(stage, flow), traces(seen, flow))
            tally.add(found)
            if found.verdict is Verdict.DISAGREE:
                bad.append(found)
    return tally, bad


def disagrees(state: State, flow: Flow) -> Comparison | None:
    """The comparison of one flow on a fresh node, when it is a disagreement. None too for a state that cannot be loaded."""
    with Stage() as stage:
        try:
            load(stage, state)
            answer = probe(stage, flow)
        except (AssertionError, OSError):
            return None
        found = compare(flow, answer, traces(observe(stage.node), flow))
    return found if found.verdict is Verdict.DISAGREE else None


def explain(seed: int, found: Comparison) -> str:
    """A disagreement as small as it can be made."""
    small = shrink(random_state(seed), lambda state: disagrees(state, found.flow) is not None)
    last = disagrees(small, found.flow) or found
    return f"{small}\n{last}"

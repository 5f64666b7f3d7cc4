"""States loaded, observed as a snapshot would, and probed: the loop behind the random tests and the soak."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from plan_node import observe

from oracle.classify import Kind
from oracle.compare import Comparison, Tally, Verdict, compare
from oracle.converse import converse
from oracle.flows import random_flows
from oracle.probe import probe
from oracle.stage import Stage
from oracle.states import ANY, State, Theme, load, random_state, shrink
from planner.models.flow import Flow
from planner.models.node import NodeState

PROBES = 80
UNKNOWN_AT_MOST = 0.03
CLASS_AT_MOST = 0.06


def traces(state: NodeState, flow: Flow):
    """What the model says."""
    from planner.dataplane.trace import trace

    return trace(state, flow)


def judge_seed(seed: int, theme: Theme = ANY, *, probes: int = PROBES) -> tuple[Tally, list[Comparison]]:
    """All comparisons of one seed, and those that disagree. Packets that follow upon a first one come on top."""
    state = random_state(seed, theme)
    tally, bad = Tally(states=1), []
    # Not the chance that makes the flows: what the kernel draws by itself must not change them.
    talking = Random(f"{seed} talks")
    with Stage() as stage:
        load(stage, state)
        seen = observe(stage.node)
        for flow in random_flows(state, Random(seed), probes):
            found = [compare(flow, probe(stage, flow), traces(seen, flow))]
            if talking.random() < theme.talks and talks(found[0]):
                found += judge_talk(stage, seen, flow)
            for one in found:
                tally.add(one)
            bad += [one for one in found if one.verdict is Verdict.DISAGREE]
    return tally, bad


def talks(found: Comparison) -> bool:
    """Whether it is a first packet that something may follow."""
    flow = found.flow
    return bool(flow.entry.link) and flow.state == "NEW" and found.answer.kind is Kind.SENT


def judge_talk(stage: Stage, seen: NodeState, first: Flow) -> list[Comparison]:
    """The packets that follow upon a first one."""
    return [
        replace(compare(flow, answer, traces(seen, flow)), first=first)
        for flow, answer in converse(stage, first)
    ]


def disagrees(state: State, found: Comparison) -> Comparison | None:
    """The same on a fresh node, when it is a disagreement there too. None also for a state that cannot be loaded."""
    with Stage() as stage:
        try:
            load(stage, state)
            seen = observe(stage.node)
            if found.first is not None:
                again = judge_talk(stage, seen, found.first)
            else:
                again = [compare(found.flow, probe(stage, found.flow), traces(seen, found.flow))]
        except (AssertionError, OSError):
            return None
    return next((one for one in again if one.verdict is Verdict.DISAGREE), None)


def explain(seed: int, found: Comparison, theme: Theme = ANY) -> str:
    """A disagreement as small as it can be made."""
    small = shrink(random_state(seed, theme), lambda state: disagrees(state, found) is not None)
    last = disagrees(small, found) or found
    return f"{small}\n{last}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some seeds of a theme, judged."""

    theme: Theme
    tally: Tally
    bad: tuple[tuple[int, Comparison], ...]

    @property
    def told(self) -> str:
        """The disagreements in words; nothing where there are none."""
        if not self.bad:
            return ""
        seed, first = self.bad[0]
        return f"{len(self.bad)} disagreements; the first, shrunk:\n{explain(seed, first, self.theme)}"

    @property
    def vague(self) -> str:
        """What was not decided, where that is more than a few."""
        counted, probes = self.tally.verdicts, self.tally.probes
        few = (
            counted[Verdict.UNKNOWN] <= UNKNOWN_AT_MOST * probes
            and counted[Verdict.CLASS] <= CLASS_AT_MOST * probes
        )
        return "" if few else str(self.tally)


def judge_batch(seeds: Iterable[int], theme: Theme = ANY, *, probes: int = PROBES) -> Batch:
    """All of the seeds."""
    whole, bad = Tally(), []
    for seed in seeds:
        tally, found = judge_seed(seed, theme, probes=probes)
        whole.merge(tally)
        bad += [(seed, one) for one in found]
    print(whole)
    return Batch(theme, whole, tuple(bad))

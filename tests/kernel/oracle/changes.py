"""Random changes of a random state, and both states judged: what the kernel does before and after, and what the sets say."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

from plan_node import observe

from oracle.classify import Answer, Kind
from oracle.compare import Comparison, Tally, Verdict, compare
from oracle.flows import random_flows
from oracle.members import Place, Sets
from oracle.probe import probe
from oracle.run import PROBES
from oracle.stage import Stage
from oracle.states import ANY, Rule, State, Theme, load, random_state
from planner.models.flow import Disposition, Flow, Trace

MORE = 6
"""So many times more flows are made than are sent: few changes concern many."""
FLIPPED = {"0": "1", "1": "0", "2": "0"}
PARTS = (("rules", 8), ("routes", 4), ("policy_rules", 3), ("sysctls", 3), ("sets", 1), ("secondaries", 1))


def random_changes(state: State, draw: Random) -> State:
    """The state with one to three things taken away, moved, added or set otherwise."""
    for _ in range(draw.randint(1, 3)):
        state = _changed(state, draw)
    return state


def _changed(state: State, draw: Random) -> State:
    names, weights = zip(*PARTS, strict=True)
    held = [weight if getattr(state, name) else 0 for name, weight in zip(names, weights, strict=True)]
    part = draw.choices(names, held)[0]
    items = list(getattr(state, part))
    at = draw.randrange(len(items))
    if part == "sysctls":
        key, value = items[at]
        items[at] = (key, FLIPPED[value])
    elif part == "sets":
        adds = [place for place, line in enumerate(items) if line.startswith("add ")]
        items.pop(draw.choice(adds))
    elif part == "rules" and draw.random() < 0.5:
        _change_rule(items, at, draw)
    elif part == "routes" and draw.random() < 0.4:
        return replace(state, routes=_other_routes(state, draw))
    else:
        items.pop(at)
    return replace(state, **{part: tuple(items)})


def _change_rule(items: list[Rule], at: int, draw: Random) -> None:
    """Another target, another place in its chain, or a chain policy the other way round."""
    rule = items[at]
    words = rule.text.split()
    if rule.policy:
        items.pop(at)
    elif draw.random() < 0.5 and rule.table != "nat" and words[-1] in {"ACCEPT", "DROP"}:
        words[-1] = {"ACCEPT": "DROP", "DROP": "ACCEPT"}[words[-1]]
        items[at] = replace(rule, text=" ".join(words))
    else:
        alike = [
            n
            for n, one in enumerate(items)
            if (one.table, one.chain, one.policy) == (rule.table, rule.chain, False)
        ]
        other = draw.choice(alike)
        items[at], items[other] = items[other], items[at]


def _other_routes(state: State, draw: Random) -> tuple[str, ...]:
    """One route more, of a state of the same links."""
    theme = replace(state.theme, six=float(state.family == "ip6"), bridge=float(state.bridge))
    for seed in iter(lambda: draw.randrange(1 << 30), None):
        other = random_state(seed, theme)
        if other.links == state.links and other.routes:
            held = {tuple(route.split()[1:3]) for route in state.routes}
            new = [route for route in other.routes if tuple(route.split()[1:3]) not in held]
            return (*state.routes, *new[:1])
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Judged:
    """One packet in two states."""

    flow: Flow
    answers: tuple[Answer, Answer]
    place: Place
    doubts: tuple[str, ...]

    @property
    def comparisons(self) -> tuple[Comparison, Comparison]:
        """The kernel against what the sets say, before and after."""
        sides = zip(self.answers, (self.place.before, self.place.after), strict=True)
        before, after = (compare(self.flow, answer, marked(answer, traces)) for answer, traces in sides)
        return before, after

    @property
    def drawn(self) -> bool:
        """Chance decides, or something that is not known."""
        ends = (*self.place.before, *self.place.after)
        return len(ends) > 2 or any(one.disposition is Disposition.UNKNOWN for one in ends)

    @property
    def moved(self) -> bool:
        """The kernel treats it differently, and no chance had a part in it."""
        if self.drawn or {answer.kind for answer in self.answers} == {Kind.REJECTED, Kind.SILENT}:
            # The error may be lost on a way of its own.
            return False
        return seen(self.answers[0]) != seen(self.answers[1])

    @property
    def fault(self) -> str:
        """What is wrong with what the sets say; nothing when they say what the kernel does."""
        for name, found in zip(("before", "after"), self.comparisons, strict=True):
            if found.verdict is Verdict.DISAGREE:
                return f"{name} the change:\n{found}"
        told = f"before: {self.answers[0]}\nafter: {self.answers[1]}\n{self.place}"
        if self.moved and not self.place.differs and not self.doubts:
            return f"different, and in no class: {self.flow!r}\n{told}"
        # Silence has many reasons, and errors are not always seen: two ends may look alike from outside.
        plain = all(answer.kind in {Kind.SENT, Kind.DELIVERED, Kind.BRIDGED} for answer in self.answers)
        if self.place.certain and plain and not self.drawn and not self.moved:
            return f"in a class, and not different: {self.flow!r}\n{told}"
        return ""


def marked(answer: Answer, traces: tuple[Trace, ...]) -> list[Trace]:
    """The sets do not tell the mark of what is delivered: the kernel's is taken."""
    return [
        one.model_copy(update={"after": one.after.model_copy(update={"mark": answer.mark or 0})})
        if one.after
        else one
        for one in traces
    ]


def seen(answer: Answer) -> tuple[object, ...]:
    """What is seen of an ending from outside."""
    packet = answer.packet
    header = ()
    if packet is not None:
        header = (packet.source, packet.destination, packet.destination_port, packet.hop_limit, packet.tos)
    return (answer.kind, answer.link, answer.next_hop, header, answer.icmp, answer.reset, answer.error)


def judge_change(
    seed: int, theme: Theme = ANY, *, probes: int = PROBES, blind: bool = False
) -> tuple[Tally, list[Judged], int]:
    """All packets of one seed before and after a change; those with a fault; how many the kernel treated differently.

    `blind` compares the node before with itself, and must be found out.
    """
    before = random_state(seed, theme)
    tally, bad, moved = Tally(states=2), [], 0
    with Stage() as one:
        load(one, before)
        with _changed_stage(before, seed) as other:
            sets = Sets(observe(one.node), observe(one.node if blind else other.node), before.family)
            placed = [
                (flow, place)
                for flow in random_flows(before, Random(seed), MORE * probes)
                if (place := sets.place(flow)) is not None
            ]
            # Half of them those that the change concerns, if there are so many.
            concerned = [pair for pair in placed if pair[1].differs][: probes // 2]
            others = [pair for pair in placed if not pair[1].differs][: probes - len(concerned)]
            for flow, place in (*concerned, *others):
                found = Judged(flow, (probe(one, flow), probe(other, flow)), place, sets.doubts)
                for side in found.comparisons:
                    tally.add(side)
                moved += found.moved
                bad += [found] if found.fault else []
    return tally, bad, moved


@contextmanager
def _changed_stage(before: State, seed: int) -> Iterator[Stage]:
    """The node after the first change that the kernel takes."""
    for attempt in range(20):
        with Stage() as stage:
            try:
                load(stage, random_changes(before, Random(f"{seed} change {attempt}")))
            except AssertionError:
                continue
            yield stage
            return
    raise AssertionError(f"no change of seed {seed} can be loaded")

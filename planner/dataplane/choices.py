"""Every way that a packet may take: one run for each answer to a question that the state does not answer."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from planner.models.flow import Disposition, Flow, Trace

Draw = Callable[[str, float], bool]
Run = Callable[["Choices"], Trace]
MOST = 1200
"""Runs for one flow. A service with so many endpoints is rare; a rule set with so many open questions is not read."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One question and its answer."""

    text: str
    """Of a draw: what is drawn. Else the rule, or what is not known."""
    probability: float | None
    """None: not drawn but not known."""
    hit: bool

    def __str__(self) -> str:
        return f"{self.text} ({self.probability or 0:.11f}): {'hit' if self.hit else 'missed'}"


class Choices:
    """Answers for one run: first those given, then yes. Equal questions get equal answers."""

    def __init__(self, given: tuple[bool, ...], draw: Draw | None) -> None:
        self._given = given
        self._draw = draw
        self._known: dict[Hashable, bool] = {}
        self.log: list[Choice] = []
        self.drawn: list[Choice] = []
        """Draws, also those that were fixed from outside."""

    def draw(self, key: Hashable, text: str, probability: float) -> bool:
        """Whether a random choice hits."""
        if probability >= 1 or probability <= 0:
            return probability >= 1
        if key not in self._known:
            if self._draw is None:
                choice = self._next(text, probability)
            else:
                choice = Choice(text, probability, self._draw(text, probability))
            self._known[key] = choice.hit
            self.drawn.append(choice)
        return self._known[key]

    def undecided(self, key: Hashable, reason: str) -> bool:
        """Whether something holds that is not known."""
        if key not in self._known:
            self._known[key] = self._next(reason, None).hit
        return self._known[key]

    def _next(self, text: str, probability: float | None) -> Choice:
        place = len(self.log)
        choice = Choice(text, probability, self._given[place] if place < len(self._given) else True)
        self.log.append(choice)
        return choice


def explore(run: Run, flow: Flow, draw: Draw | None) -> tuple[Trace, ...]:
    """One trace for each outcome of the draws; where an answer that is not known decides, a trace that says so."""
    order: list[tuple[bool, ...]] = [()]
    runs: dict[tuple[bool, ...], tuple[Trace, tuple[Choice, ...]]] = {}
    for given in order:
        if len(runs) >= MOST:
            break
        choices = Choices(given, draw)
        done = run(choices)
        trace = done.model_copy(update={"draws": tuple(map(str, choices.drawn))})
        runs[given] = trace, tuple(choices.log)
        answers = tuple(choice.hit for choice in choices.log)
        order.extend((*answers[:place], False) for place in range(len(given), len(answers)))
    return _folded(order, runs, flow)


def _folded(
    order: Sequence[tuple[bool, ...]],
    runs: dict[tuple[bool, ...], tuple[Trace, tuple[Choice, ...]]],
    flow: Flow,
) -> tuple[Trace, ...]:
    """From the last question to the first: draws side by side, open questions merged."""
    results: dict[tuple[bool, ...], tuple[Trace, ...]] = {}
    for given in reversed(order):
        if given not in runs:
            text = f"the packet has more than {MOST} possible ways"
            results[given] = (Trace(flow=flow, disposition=Disposition.UNKNOWN, reason=text),)
            continue
        trace, log = runs[given]
        found: tuple[Trace, ...] = (trace,)
        answers = tuple(choice.hit for choice in log)
        for place in reversed(range(len(given), len(log))):
            other = results.pop((*answers[:place], False))
            drawn = log[place].probability is not None
            found = (*found, *other) if drawn else merged(found, other, log[place].text, flow)
        results[given] = found
    return results[()]


def outcome(trace: Trace) -> tuple[object, ...]:
    """What a sender, a receiver and the wire notice."""
    if trace.disposition is Disposition.UNKNOWN and not trace.alternatives:
        return trace.disposition, trace.reason
    return trace.disposition, trace.link, trace.next_hop, trace.after, trace.reject_kind, trace.port


def merged(left: tuple[Trace, ...], right: tuple[Trace, ...], reason: str, flow: Flow) -> tuple[Trace, ...]:
    """The same whichever answer is true, or unknown because of the question."""
    if {outcome(trace) for trace in left} == {outcome(trace) for trace in right}:
        return left
    possible: dict[tuple[object, ...], Trace] = {}
    for trace in (*left, *right):
        for one in trace.alternatives or (trace,):
            possible.setdefault(outcome(one), one)
    known = [trace for trace in possible.values() if trace.disposition is not Disposition.UNKNOWN]
    hops = _common([trace.hops for trace in (known or list(possible.values()))])
    return (
        Trace(
            flow=flow,
            disposition=Disposition.UNKNOWN,
            reason=reason,
            hops=hops,
            alternatives=tuple(possible.values()),
        ),
    )


def _common(ways: list[tuple[object, ...]]) -> tuple[object, ...]:
    """The beginning that all ways share."""
    shortest = min(ways, key=len)
    same = 0
    while same < len(shortest) and all(way[same] == shortest[same] for way in ways):
        same += 1
    return shortest[:same]

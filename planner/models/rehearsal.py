"""What was seen when a plan and its way back were run in a namespace."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from planner.models.noun import Noun

ARRIVES, UNDECIDED = "arrives", "not known"
"""What may become of a packet; else `lost` or `the answer is lost`."""
NAMED = 2
"""Things that are named in a sentence; the rest is counted."""
NAME = 48


class Proof(StrEnum):
    """How a rehearsal ended."""

    PROVEN = "proven"
    """Every step did what was predicted, and the way back led to the original from after each of them."""
    PROVEN_EXCEPT = "proven, except"
    """The same for what could be rebuilt; what could not is listed."""
    MODEL_WRONG = "prediction was wrong"
    """The kernel did something else than was predicted."""
    NOT_UNDONE = "not undone"
    """Something was left behind by a way back."""
    NOT_RUN = "not run"
    """There was no place to run it; `reason` says what is missing."""


class NotRehearsed(Noun):
    """A part of the node or of the plan that the namespace could not show."""

    what: str
    """`sysctl net.netfilter.nf_conntrack_max`, `link wg0`, `step 3`."""
    reason: str


class Difference(Noun):
    """One fact of two states that should be equal."""

    what: str
    """`route ip main 10.244.2.0/24`."""
    wanted: str
    """Empty: should not be there."""
    found: str
    """Empty: is not there."""


class RealProbe(Noun):
    """A packet of an invariant, really sent in the namespace."""

    path: str
    """Name of the `Path`."""
    words: str
    before: str
    """What became of it before the step: `arrives`, `lost`, `the answer is lost`."""
    after: str
    predicted: str
    """What the model said of `after`."""

    @property
    def agrees(self) -> bool:
        """Whether model and kernel say the same; where the model does not know, it is not wrong."""
        return self.predicted == self.after or not self.decided

    @property
    def decided(self) -> bool:
        """Whether the model says what becomes of it."""
        return self.predicted != UNDECIDED

    @property
    def shut(self) -> bool:
        """It arrived before the step and does not after it."""
        return self.before == ARRIVES != self.after


class Turn(Noun):
    """One step run, and the way back from after it."""

    step: int
    title: str
    applied: bool
    """It was run and exited as it should; or nothing was to be run, see `not_run`."""
    not_run: str = ""
    """Why nothing was run: the stage cannot show it, or apply.sh does not run it either."""
    shown: bool = True
    """Whether the stage can show that it does what was predicted; not where it cannot be run there, or nothing was predicted."""
    output: str = ""
    """What it said when it did not."""
    unpredicted: tuple[Difference, ...] = ()
    """Between the predicted state after it and the one found."""
    left_behind: tuple[Difference, ...] = ()
    """Between the original and what the way back from here led to."""
    undone: bool = True
    """The way back was run and exited as it should."""
    seconds: float = 0.0
    """From the start of the step until it was done: a bound on the time that what it breaks is broken."""
    undo_seconds: float = 0.0
    stepwise: bool = False
    """Of a long plan: taken back one step after the other, each time to what was found there on the way forward. Else in one run."""
    probes: tuple[RealProbe, ...] = ()


class Outage(Noun):
    """A path that a step shuts, and how long that lasted in the rehearsal."""

    path: str
    words: str
    since: int
    """The step that shuts it."""
    until: int | None
    """The step that opens it again; None when none does."""
    seconds: float
    """From the start of the one until the end of the other, or of the last step: more than it was shut, and without the time
    that an operator takes between two steps."""
    undo_seconds: float
    """What the way back took from the last of these steps."""


class Trial(Noun):
    """Something else that may happen: killed in the middle, rollback run twice, a foreign change meanwhile, the dead-man timer."""

    name: str
    words: str
    held: bool
    detail: str = ""


class Rehearsal(Noun):
    """The evidence for one node's plan."""

    node: str
    proof: Proof
    reason: str = ""
    kernel: str = ""
    """Release that it was rehearsed on."""
    tools: dict[str, str] = {}
    """Versions of ip, iptables, nft, ipset."""
    isolation: str = ""
    """`root in a user namespace`, `user namespace without root` …"""
    turns: tuple[Turn, ...] = ()
    trials: tuple[Trial, ...] = ()
    not_rehearsed: tuple[NotRehearsed, ...] = ()
    unreached: int = 0
    """Steps that were not come to, because one before them fails."""
    facts: int = 0
    """Facts of the node that were rebuilt and found equal."""
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Something was not as predicted, or did not come back."""
        return self.proof in {Proof.MODEL_WRONG, Proof.NOT_UNDONE}

    @property
    def outages(self) -> tuple[Outage, ...]:
        """Paths that were shut at some step, as packets have shown."""
        return tuple(_outages(self.turns))

    @property
    def sentence(self) -> str:
        """`rehearsed: 7 of 7 steps as predicted, state equal after undo from each of them, not rehearsed: 2 sysctls`."""
        if self.proof is Proof.NOT_RUN:
            return f"not rehearsed: {self.reason}"
        shown = [turn for turn in self.turns if turn.shown]
        done = sum(turn.applied and not turn.unpredicted for turn in shown)
        back = sum(turn.undone and not turn.left_behind for turn in shown)
        undo = (
            "state equal after undo from each of them"
            if back == len(shown)
            else f"state equal after undo from {back} of them"
        )
        alone = sum(turn.stepwise for turn in self.turns)
        if alone:
            undo += f" ({alone} of them step by step, the others in one run)"
        parts = [f"rehearsed: {done} of {len(self.turns) + self.unreached} steps as predicted", undo]
        held = sum(trial.held for trial in self.trials)
        if self.trials:
            parts.append(f"{held} of {len(self.trials)} mishaps survived")
        probes = [probe for turn in self.turns for probe in turn.probes]
        if probes:
            parts.append(packets_told(probes))
        if self.not_rehearsed:
            named = ", ".join(_cut(one.what) for one in self.not_rehearsed[:NAMED])
            more = len(self.not_rehearsed) - NAMED
            parts.append(f"not rehearsed: {named}" + (f" and {more} more" if more > 0 else ""))
        return ", ".join(parts)


def packets_told(probes: Sequence[RealProbe]) -> str:
    """`41 of 42 packets as predicted, 3 more without a prediction`."""
    decided = [probe for probe in probes if probe.decided]
    one = "packet" if len(decided) == 1 else "packets"
    told = f"{sum(probe.agrees for probe in decided)} of {len(decided)} {one} as predicted"
    rest = len(probes) - len(decided)
    return f"{told}, {rest} more without a prediction" if rest else told


def _outages(turns: Sequence[Turn]) -> Iterator[Outage]:
    for number, turn in enumerate(turns):
        for probe in turn.probes:
            if not probe.shut:
                continue
            later = turns[number + 1 :]
            opens = next(
                (
                    one
                    for one in later
                    if any(p.path == probe.path and p.after == ARRIVES for p in one.probes)
                ),
                None,
            )
            last = opens or turns[-1]
            yield Outage(
                path=probe.path,
                words=probe.words,
                since=turn.step,
                until=opens.step if opens is not None else None,
                seconds=round(sum(one.seconds for one in turns if turn.step <= one.step <= last.step), 3),
                undo_seconds=last.undo_seconds,
            )


def _cut(text: str) -> str:
    return text if len(text) <= NAME else f"{text[: NAME - 1]}…"

"""The change was rehearsed, and the kernel did something else than the plan says, or the way back leaves something behind.

## Why it matters

A prediction that is wrong in one place may be wrong in others: everything else that is told about the change rests on the same
model. And a way back that leaves something behind is found out in the night in which it is needed.

## When it bites

At the step that is named; or when the change is taken back from after it.

## How to undo

`rollback.sh` leads back as far as the rehearsal shows: what it leaves behind is listed there.

## How to check

`netchange rehearse` again, with `--full` for every difference; on a machine with the node's kernel when that is another.
"""

from collections.abc import Iterator, Sequence

from planner.models.change import BaseChange, Change
from planner.models.finding import Confidence, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.plan import Plan, Step
from planner.models.rehearsal import Difference, Rehearsal, Turn
from planner.risks.risk import Review, Risk

REFUTES = "rehearsal-refutes"
SHOWN = 3
WOULD_FAIL = "it would fail"
"""How the remark of a step begins whose failure is predicted (`planner.plan.build`)."""


def judge(_change: BaseChange, _review: Review) -> Iterator[Finding]:
    """Nothing: a plan alone does not tell. See `refuted`."""
    return iter(())


def refuted(rehearsal: Rehearsal, plan: Plan, changes: Sequence[Change]) -> Iterator[Finding]:
    """One finding for each step, and for each mishap, that went otherwise. `changes` are those of the node, at least one."""
    if not rehearsal.failed:
        return
    for turn in rehearsal.turns:
        change = _of(turn, plan, changes)
        wrong = tuple(_otherwise(turn, plan.steps[turn.step - 1]))
        if wrong:
            yield _finding(
                change,
                f"After step {turn.step} (`{turn.title}`) the kernel does not do what was predicted: {_told(wrong)}.",
            )
        if turn.left_behind or not turn.undone:
            left = tuple(_difference("before the change", one) for one in turn.left_behind)
            yield _finding(
                change,
                f"Taken back from after step {turn.step} (`{turn.title}`) {plan.node} is not as before: "
                f"{_told(left or ('rollback.sh does not end well',))}.",
                reversibility=Reversibility.NONE,
            )
    for trial in rehearsal.trials:
        if not trial.held:
            yield _finding(
                changes[0],
                f"Tried on the rebuilt {plan.node} and failed: {trial.words}.",
                reversibility=Reversibility.NONE,
            )


def _of(turn: Turn, plan: Plan, changes: Sequence[Change]) -> Change:
    """The change that the step makes, else the node's first."""
    source = plan.steps[turn.step - 1].source
    return next((change for change in changes if change.source == source), changes[0])


def _otherwise(turn: Turn, step: Step) -> Iterator[str]:
    if not turn.applied and not step.remark.startswith(WOULD_FAIL):
        yield f"it fails: {turn.output}"
    for one in turn.unpredicted:
        yield _difference("predicted", one)
    for probe in turn.probes:
        if not probe.agrees:
            yield f"{probe.words}: predicted `{probe.predicted}`, found `{probe.after}`"


def _difference(wanted: str, one: Difference) -> str:
    return f"{one.what}, {wanted} {_value(one.wanted)}, found {_value(one.found)}"


def _value(text: str) -> str:
    line = " ".join(text.split())
    return f"`{line[:80]}`" if line else "nothing"


def _told(facts: Sequence[str]) -> str:
    more = f"; and {len(facts) - SHOWN} more" if len(facts) > SHOWN else ""
    return "; ".join(facts[:SHOWN]) + more


def _finding(change: Change, message: str, reversibility: Reversibility = Reversibility.FULL) -> Finding:
    return Finding(
        risk=RISK.id,
        change=change,
        message=message,
        side_effects=(REFUTES,),
        onset=Horizon.NOW,
        confidence=Confidence.PROVEN,
        reversibility=reversibility,
        undo="The written undo leaves behind what is listed." if reversibility is Reversibility.NONE else "",
        remedy="Do not apply it before the cause is known; the rehearsal lists both states' difference.",
    )


RISK = Risk[BaseChange](
    id="rehearsal-refutes-plan",
    title="The rehearsal found something else than the plan says",
    on=(),
    judge=judge,
    sources=("docs/guides/what-if-it-goes-wrong.md", "docs/concepts/rollback.md"),
    verify="netchange rehearse --help",
)
"""Raised by `planner/rehearsed.py`, once there is a rehearsal."""

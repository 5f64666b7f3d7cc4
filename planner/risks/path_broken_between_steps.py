"""Between two steps of the change a path is shut that is open before and after it.

## Why it matters

What counts is not only where a change ends. A policy that becomes DROP before the rules that accept, a flush before the new
rules, a route that goes before the next one comes: for that long packets are lost, and whoever applies it by ssh may lose
the session in the middle and leave the node there.

## When it bites

While the change is applied; for good, if it stops between the two steps.

## How to undo

Go on to the end, or run the rollback; from the console when ssh is what is shut.

## How to check

The steps of `netchange plan` in order, and which of them it calls safe to stop after.
"""

from collections.abc import Iterator

from planner.models.change import PassingChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.invariant import Kept
from planner.models.proposal import Command, Stage
from planner.risks.blame import MOVING
from planner.risks.path_broken import Moving
from planner.risks.paths import lost_with, role, told
from planner.risks.risk import Review, Risk

SHOWN = 80
FEW = 3
SHOWING = (*MOVING, PassingChange)


def judge(change: Moving | PassingChange, review: Review) -> Iterator[Finding]:
    """All of them, told at the first change that shows at once; where none does, at the passing one."""
    first = next(
        (other for other in review.changes if isinstance(other, SHOWING) and other.horizon is Horizon.NOW),
        None,
    )
    if change is not first:
        return
    shut = review.shut_between()
    for step in sorted({item.step for item in shut if item.step is not None}):
        here = [item for item in shut if item.step == step]
        control = [item for item in here if role(item) == "control"]
        for together in (control, [item for item in here if item not in control]):
            if together:
                yield _finding(change, review, step, together)


def _finding(change: Moving | PassingChange, review: Review, step: int, together: list[Kept]) -> Finding:
    stage = review.outlook.stages[step - 1]
    cut = any(item.path.cuts_undo for item in together)
    control = role(together[0]) == "control"
    # One Service or port that is away for the time between two commands is a matter of timing.
    few = len(together) < FEW and not any(item.path.everybody for item in together)
    return Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"After step {step} ({_what(stage)}) {change.node} does not let through {told(together)}; "
            "at the end it does again."
        ),
        breaks=() if few and not control else lost_with(together),
        extent=Extent.PARTIAL if control else Extent.NONE,
        cuts_undo=cut,
        onset=Horizon.NOW,
        confidence=Confidence.PROVEN,
        reversibility=Reversibility.WITH_LOSS,
        undo="It may need the console." if cut else "Connections that were tried meanwhile have failed.",
        remedy=_remedy(stage),
        source=stage.operation.source,
    )


def _remedy(stage: Stage) -> str:
    operation = stage.operation
    if isinstance(operation, Command) and "route" in operation.argv:
        return "`ip route replace` puts the new route in place of the old one without a moment between."
    return "Bring what accepts first and what drops last, or replace the table in one iptables-restore."


def _what(stage: Stage) -> str:
    operation = stage.operation
    text = " ".join(operation.argv) if isinstance(operation, Command) else operation.path
    return f"`{text if len(text) <= SHOWN else text[: SHOWN - 1] + '…'}`"


RISK = Risk[Moving | PassingChange](
    id="path-broken-between-steps",
    title="A path is shut between two steps",
    on=SHOWING,
    judge=judge,
    sources=("docs/concepts/invariants.md", "iptables(8), --policy and --flush"),
    verify="netchange plan --help",
    last=1,
)

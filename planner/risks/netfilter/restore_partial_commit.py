"""A restore file fails after its first table was replaced.

## Why it matters

iptables-restore is atomic for a table, not for a file. The command ends with an error, automation believes that nothing
happened, and a new filter table stands beside the old nat table.

## When it bites

At once.

## How to undo

Restore the saved copy of every table.

## How to check

`iptables-restore --test <file>`, and the exit status of the real run.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, ChainPolicyChange, RuleChange
from planner.models.finding import Extent, Finding
from planner.models.horizon import Horizon
from planner.models.proposal import Command
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk


def judge(change: RuleChange | ChainChange | ChainPolicyChange, review: Review) -> Iterator[Finding]:
    """Whether the change stems from a restore that then failed."""
    if change.horizon is not Horizon.NOW:
        return
    for stage in review.outlook.stages:
        operation = stage.operation
        if not stage.error or not isinstance(operation, Command) or "restore" not in operation.argv[0]:
            continue
        if change.source is not None and change.source.name != operation.source.name:
            continue
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{operation.source.name} fails on {change.node} ({stage.error}) after the {change.table} table was replaced: "
                "new and old tables stand side by side."
            ),
            breaks=(TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            remedy="Check the file with --test, and restore the saved copy when the command fails.",
        )
        return


RISK = Risk[RuleChange | ChainChange | ChainPolicyChange](
    id="restore-partial-commit",
    title="A restore stops half-way",
    on=(RuleChange, ChainChange, ChainPolicyChange),
    judge=judge,
    sources=("iptables-restore(8); measured: an error in the second table leaves the first replaced",),
    verify="iptables-restore --test < FILE; echo $?",
    once=True,
)

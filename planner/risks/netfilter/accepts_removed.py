"""Rules that let in what the node lives by go, and the chain's policy drops.

## Why it matters

Flushing a chain removes its accepts but not its policy. With DROP behind them existing and new connections stop, the
session that runs the command among them. Flush is commonly called a safe cleanup.

## When it bites

At once.

## How to undo

Restore the saved rules, from the console.

## How to check

`iptables -S INPUT | head -1` before anything is flushed.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, RuleChange
from planner.models.finding import Finding
from planner.risks.netfilter.lost import findings
from planner.risks.risk import Review, Risk


def judge(change: RuleChange | ChainChange, review: Review) -> Iterator[Finding]:
    """What the policy, itself unchanged, now takes."""
    yield from findings(
        change,
        review,
        risk=RISK.id,
        group="accepts",
        roles=frozenset({"control", "overlay", "pods"}),
        remedy="Set the policy to ACCEPT before the flush, or replace the table in one iptables-restore.",
    )


RISK = Risk[RuleChange | ChainChange](
    id="accepts-removed",
    title="Accepting rules go in front of a DROP policy",
    on=(RuleChange, ChainChange),
    judge=judge,
    sources=("iptables(8), --flush and --policy; measured: existing and new connections fail",),
    verify="iptables -S INPUT",
)

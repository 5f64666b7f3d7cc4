"""A base chain that dropped by default now accepts by default.

## Why it matters

Whatever no rule names is let in from then on: ports of the node that were closed, or networks that were not forwarded.

## When it bites

At once.

## How to undo

Set the policy to DROP again.

## How to check

`iptables -S INPUT; iptables -S FORWARD`.
"""

from collections.abc import Iterator

from planner.models.change import ChainPolicyChange
from planner.models.finding import Confidence, Finding
from planner.risks.netfilter.structure import cut_off_at, table_of
from planner.risks.risk import Review, Risk


def judge(change: ChainPolicyChange, review: Review) -> Iterator[Finding]:
    """Whether the policy was and is reached."""
    if (
        change.before != "DROP"
        or change.after != "ACCEPT"
        or change.table != "filter"
        or change.chain == "OUTPUT"
    ):
        return
    after, before = table_of(review.after, change), table_of(review.before, change)
    if cut_off_at(after, change.chain, change.family) or cut_off_at(before, change.chain, change.family):
        return
    what = "connections to the node itself" if change.chain == "INPUT" else "packets that it forwards"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{change.node} now lets in whatever no rule of {change.chain} names: {what}.",
        exposes=True,
        side_effects=("security-exposure",),
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy="End the chain with a DROP rule if something else needs the policy.",
    )


RISK = Risk[ChainPolicyChange](
    id="chain-policy-accept",
    title="A chain policy lets in what was dropped",
    on=(ChainPolicyChange,),
    judge=judge,
    sources=("iptables(8), --policy",),
    verify="iptables -S | grep -- -P",
)

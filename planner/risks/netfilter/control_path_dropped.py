"""A rule drops the operator's, the kubelet's or the API server's packets before anything accepts them.

## Why it matters

First match wins. A drop for a port in front of the ESTABLISHED accept ends running sessions, the one that applies the
change among them; behind it only new ones are refused. Either way the node is cut off from who could mend it.

## When it bites

At once.

## How to undo

Delete the rule, from the console.

## How to check

`iptables -S INPUT` in order; `iptables -C INPUT <rule>`.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, RuleChange
from planner.models.finding import Finding
from planner.risks.netfilter.lost import findings
from planner.risks.risk import Review, Risk


def judge(change: RuleChange | ChainChange, review: Review) -> Iterator[Finding]:
    """Control paths that a rule now takes."""
    yield from findings(
        change,
        review,
        risk=RISK.id,
        group="rule",
        roles=frozenset({"control"}),
        remedy="Put it behind the ESTABLISHED accept and exempt the operator's network; apply it with a timer that takes it back.",
    )


RISK = Risk[RuleChange | ChainChange](
    id="control-path-dropped",
    title="A rule drops a control path",
    on=(RuleChange, ChainChange),
    judge=judge,
    sources=("iptables(8); measured: order of DROP and ESTABLISHED accept decides over the running session",),
    verify="iptables -S INPUT --line-numbers 2>/dev/null || iptables -S INPUT",
)

"""A rule drops what the node forwards for its pods, or its own probes of them.

## Why it matters

Pods' packets pass FORWARD of the node, health probes pass OUTPUT and INPUT. A drop that is not confined to what it is
meant for takes a whole class of traffic with it.

## When it bites

At once.

## How to undo

Delete the rule.

## How to check

`iptables -S FORWARD`, and the counters of the rule in `iptables -vL`.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, RuleChange
from planner.models.finding import Finding
from planner.risks.netfilter.lost import findings
from planner.risks.risk import Review, Risk


def judge(change: RuleChange | ChainChange, review: Review) -> Iterator[Finding]:
    """Pods' packets that a rule now takes."""
    yield from findings(
        change,
        review,
        risk=RISK.id,
        group="rule",
        roles=frozenset({"pods"}),
        remedy="Confine the rule to what it is meant for, or accept the pod range in front of it.",
    )


RISK = Risk[RuleChange | ChainChange](
    id="pod-traffic-dropped",
    title="A rule drops pods' packets",
    on=(RuleChange, ChainChange),
    judge=judge,
    sources=("Linux, net/ipv4/ip_forward.c; Kubernetes documentation, cluster networking",),
    verify="iptables -vL FORWARD",
)

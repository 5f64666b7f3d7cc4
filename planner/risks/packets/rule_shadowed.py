"""A rule never acts, because earlier rules of its chain take every packet that it could meet.

## Why it matters

Whoever wrote the rule believes that it does something. An accept behind a drop opens nothing, a drop behind an accept keeps nobody out, and
the next reader takes both for what they say.

## When it bites

When the change does, and every time somebody counts on the rule.

## How to undo

The inverse change; see the plan. What is meant is had by another order of the rules.

## How to check

`iptables -L CHAIN -v -n --line-numbers`: the counters of the rule stay at zero.
"""

from collections.abc import Iterator

from planner.models.comparison import Idleness
from planner.models.finding import Finding
from planner.risks.moved import MOVERS, Mover
from planner.risks.packets.idle_rules import idle_rules, takers
from planner.risks.risk import Review, Risk


def judge(change: Mover, review: Review) -> Iterator[Finding]:
    """One finding for the rules of a chain that the same rules cover."""
    moved = review.moved
    for idle in idle_rules(change, review, frozenset({Idleness.SHADOWED})):
        one = idle.first
        first = idle.changes[0]
        others = len(idle.rules) - 1
        more = f", and {others} more rule{'s' if others > 1 else ''} of the chain" if others else ""
        verb = "never act" if others else "never acts"
        takes = "takes" if len(one.by) == 1 else "take"
        name = idle.named[0].upper() + idle.named[1:]
        again = "" if idle.added else " any more"
        yield Finding(
            risk=RISK.id, change=first, related=idle.changes[1:],
            message=(
                f"{name}{more} {verb}{again} on {first.node}: "
                f"{takers(one, moved.movers if moved is not None else ())} {takes} all {'their' if others else 'its'} packets."
            ),
            onset=first.horizon, side_effects=("observability",), source=idle.source,
            remedy="Put it before the rules that take its packets, or leave it out." if idle.added else "",
        )  # fmt: skip


RISK = Risk[Mover](
    id="rule-shadowed",
    title="A rule never acts behind others",
    on=MOVERS,
    judge=judge,
    sources=(
        "net/ipv4/netfilter/ip_tables.c, ipt_do_table(): the first rule whose target is a verdict ends the walk",
    ),
    verify="iptables -L -v -n --line-numbers",
    last=2,
)

"""A policy rule sends packets to a table that has no default route.

## Why it matters

A lookup that finds nothing goes on to the next rule, at last to the main table: packets leave by the primary link with a
source that the network drops there. Nothing in the rules changed; only a table that few people look at.

## When it bites

At once for new packets of the addresses that the rule selects.

## How to undo

Add the table's routes again.

## How to check

`ip rule show` and, for each table in it, `ip route show table <n>`.
"""

from collections.abc import Iterator

from planner.models.change import PolicyRuleChange, RouteChange
from planner.models.finding import Extent, Finding
from planner.models.node import NodeState
from planner.models.route import DEFAULT, LOCAL, MAIN, PolicyRule
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk
from planner.risks.routes.local_rule_missing import is_for_all

_OWN_TABLES = frozenset({MAIN, LOCAL, DEFAULT, ""})


def judge(change: RouteChange | PolicyRuleChange, review: Review) -> Iterator[Finding]:
    """Rules of the after-state whose table lost its default, or that came with a table without one."""
    match change:
        case RouteChange():
            table, family = change.route.table, change.route.family
        case PolicyRuleChange():
            if change.after is None:
                return
            table, family = change.after.table, change.after.family
    if table in _OWN_TABLES or _default(review.after, family, table):
        return
    rules = [rule for rule in review.after.policy_rules if _sends(rule, family, table)]
    if not rules:
        return
    if any(_sends(rule, family, table) for rule in review.before.policy_rules) and not _default(
        review.before, family, table
    ):
        return
    selected = ", ".join(
        sorted({rule.source or rule.fwmark or rule.iif or "some packets" for rule in rules})[:3]
    )
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Table {table} of {change.node} has no default route, and its rules send {selected} there: such packets fall through to the main table and leave by another link."
        ),
        breaks=(TrafficClass.POD_TO_EXTERNAL, TrafficClass.POD_TO_POD_CROSS_NODE),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        remedy=f"Give table {table} its gateway and default route.",
    )


def _default(state: NodeState, family: str, table: str) -> bool:
    return any(route.family == family and route.table == table and route.is_default for route in state.routes)


def _sends(rule: PolicyRule, family: str, table: str) -> bool:
    return rule.family == family and rule.action == "lookup" and rule.table == table and not is_for_all(rule)


RISK = Risk[RouteChange | PolicyRuleChange](
    id="table-without-default",
    title="A routing table has no default route",
    on=(RouteChange, PolicyRuleChange),
    judge=judge,
    sources=("Linux, net/core/fib_rules.c, fib_rules_lookup: -EAGAIN goes on to the next rule", "ip-rule(8)"),
    verify="ip rule show; ip route show table all",
    once=True,
)

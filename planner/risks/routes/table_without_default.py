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

from planner.dataplane.lookup import lookup_query, outside, selected_by
from planner.models.change import PolicyRuleChange, RouteChange
from planner.models.finding import Extent, Finding
from planner.models.route import DEFAULT, LOCAL, MAIN, PolicyRule
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk
from planner.risks.routes.local_rule_missing import is_for_all
from planner.risks.routes.prefixes import within

_OWN_TABLES = frozenset({MAIN, LOCAL, DEFAULT, ""})


def judge(change: RouteChange | PolicyRuleChange, review: Review) -> Iterator[Finding]:
    """Packets that a rule sends to the table, and that fall through it another way than they went."""
    match change:
        case RouteChange():
            table, family = change.route.table, change.route.family
        case PolicyRuleChange():
            if change.after is None:
                return
            table, family = change.after.table, change.after.family
    if table in _OWN_TABLES:
        return
    world = outside(family, review.before, review.after)
    rules = [
        rule
        for rule in review.after.policy_rules
        if _sends(rule, family, table) and _falls_through(rule, world, review)
    ]
    if not rules:
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


def _falls_through(rule: PolicyRule, world: str, review: Review) -> bool:
    """Whether its packets to the outside leave the table without an answer now, and so go another way than before."""
    query = selected_by(rule, world)
    if query is None or (rule.destination and not within(world, rule.destination)):
        return False
    now = lookup_query(review.after, rule.family, query)
    was = lookup_query(review.before, rule.family, query)
    through = now.rule is None or now.rule.preference > rule.preference
    return through and was.leads and was.hops != now.hops


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

"""What a hop of a trace says about the lookup that routed the packet: which route decided, and which policy rule led there.

The sentences are those of `Found` (planner/dataplane/query.py).
"""

import re

from planner.dataplane.query import table_name
from planner.models.route import PolicyRule, Route

ROUTED = re.compile(
    r"(?P<prefix>[0-9a-fA-F.:]+/\d+)(?: [^,]*)?, table (?P<table>[^\s,]+)(?:, rule (?P<rule>\d+))?$"
)
ENDED = re.compile(r"\b(?:prohibit|unreachable|blackhole) by rule (?P<rule>\d+)$")
EVERYWHERE = {"local": 0, "main": 32766, "default": 32767}
"""The rules that every system has, by their tables: sentences leave them out (net/ipv4/fib_rules.c, fib_default_rules_init)."""
PASSES_ON = frozenset({"goto", "nop"})
"""Actions that decide where the lookup goes on, and show in no sentence."""


def route_decides(told: str, route: Route) -> bool:
    """Whether the lookup ended at this route: the prefix alone may stand in a table that was not asked."""
    found = ROUTED.search(told)
    return found is not None and (found["prefix"], found["table"]) == (route.prefix, table_name(route.table))


def rule_ends(told: str, rule: PolicyRule) -> bool:
    """Whether this policy rule itself discards the packet."""
    found = ENDED.search(told)
    return found is not None and int(found["rule"]) == rule.preference


def rule_decides(told: str, rule: PolicyRule) -> bool:
    """Whether the lookup ended in the table that this rule names, or at the rule."""
    if rule_ends(told, rule):
        return True
    found = ROUTED.search(told)
    if found is None:
        return False
    if found["rule"] is not None:
        return int(found["rule"]) == rule.preference
    return EVERYWHERE.get(found["table"]) == rule.preference


def shows_nowhere(rule: PolicyRule) -> bool:
    """Whether a rule moves lookups on, so that none of their sentences names it."""
    return rule.action in PASSES_ON or rule.suppress_prefixlength is not None or bool(rule.suppress_ifgroup)

"""How things are read, decided once for a plan: the same thing is read by the same command at every step."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from planner.emit.iptables_restore import touched_chains
from planner.models.node import NodeState
from planner.models.route import PolicyRule, Route
from planner.plan.checks_nft import VolatileSet, volatile_sets, whole_tables

EACH = 16
"""Up to so many chains of a table are compared one by one; more, and the table is compared as a whole: every comparison
prints the table once, which takes seconds where there are 300,000 rules."""

SIMPLE_METRICS = ("window", "cwnd", "reordering", "hoplimit", "initcwnd", "initrwnd", "quickack")
"""Metrics that every iproute2 prints as name and number, in the order of RTAX_* (linux/rtnetlink.h)."""

TableKey = tuple[str, str, str]
"""Family, backend, table."""
RouteKey = tuple[str, str, str]
"""Family, table, prefix."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which things need another way of reading than usual."""

    whole: frozenset[TableKey] = frozenset()
    """Tables that are compared as a whole."""
    unloaded: frozenset[TableKey] = frozenset()
    """Tables that do not exist all the time: to ask the legacy backend for one by name would load it."""
    counted_routes: frozenset[RouteKey] = frozenset()
    """Routes with attributes whose printed form differs between versions of iproute2: they are counted."""
    counted_rules: frozenset[tuple[str, int]] = frozenset()
    """Policy rules of that kind, by family and preference."""
    whole_native: frozenset[str] = frozenset()
    """Tables of nft that are compared as a whole."""
    volatile_sets: frozenset[VolatileSet] = frozenset()
    """Sets of nft whose elements are not compared."""


def scope(states: Sequence[NodeState]) -> Scope:
    """From all states of a plan, the first one before its first step."""
    keys = sorted(
        {(r.family, r.backend, name) for state in states for r in state.rulesets for name in r.tables}
    )
    whole, unloaded = set(), set()
    for family, backend, name in keys:
        rulesets = [state.ruleset(family, backend) for state in states]
        tables = [ruleset.tables.get(name) if ruleset else None for ruleset in rulesets]
        if None in tables:
            unloaded.add((family, backend, name))
        pairs = itertools.pairwise(tables)
        if any(have != want and len(touched_chains(have, want)) > EACH for have, want in pairs):
            whole.add((family, backend, name))
    return Scope(
        whole=frozenset(whole),
        unloaded=frozenset(unloaded),
        counted_routes=frozenset(
            (route.family, route.table, route.prefix)
            for state in states
            for route in state.routes
            if _odd(route)
        ),
        counted_rules=frozenset(
            (rule.family, rule.preference)
            for state in states
            for rule in state.policy_rules
            if _odd_rule(rule)
        ),
        whole_native=whole_tables(states),
        volatile_sets=volatile_sets(states),
    )


def _odd(route: Route) -> bool:
    if route.nexthop_id is not None:
        return route.expires
    known = {*SIMPLE_METRICS, "pervasive"}
    return bool(set(route.options) - known) or route.expires or any(hop.encap for hop in route.nexthops)


def _odd_rule(rule: PolicyRule) -> bool:
    known = {"lookup", "blackhole", "unreachable", "prohibit"}
    return (
        bool(rule.options) or rule.action not in known or bool(rule.suppress_ifgroup) or rule.goto is not None
    )

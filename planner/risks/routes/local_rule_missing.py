"""No policy rule looks into the local table any more.

## Why it matters

The kernel finds its own addresses through the rule `lookup local`. Some networks move it from preference 0 to 100; a
manager that deletes rules it does not know then leaves none, and the node no longer accepts a single packet for itself.

## When it bites

At once.

## How to undo

`ip rule add pref 0 lookup local`, from the console.

## How to check

`ip rule show | grep 'lookup local'`.
"""

from collections.abc import Iterator

from planner.models.change import PolicyRuleChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.route import LOCAL, PolicyRule
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk


def judge(change: PolicyRuleChange, review: Review) -> Iterator[Finding]:
    """Whether a rule for all packets still asks the local table, for the family of the change."""
    rule = change.after or change.before
    if rule is None or not asks_local(review.before, rule.family) or asks_local(review.after, rule.family):
        return
    family = "IPv6" if rule.family == "ip6" else "IPv4"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"No rule of {change.node} asks the local table for {family}: the node accepts no packet for its own addresses.",
        breaks=(
            TrafficClass.NODE_MANAGEMENT,
            TrafficClass.NODE_TO_APISERVER,
            TrafficClass.KUBELET_PROBES,
            TrafficClass.EXTERNAL_TO_NODEPORT_LB,
            TrafficClass.HOST_EGRESS,
        ),
        extent=Extent.TOTAL,
        cuts_undo=True,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="It needs the console: ip rule add pref 0 lookup local.",
        remedy="Add the rule at its new place before the old one is deleted.",
    )


def asks_local(state: NodeState, family: str) -> bool:
    """Whether a rule without any selector looks into the local table; true when the rules are not known."""
    if state.gap(f"rules/{family}") is not None or not any(
        rule.family == family for rule in state.policy_rules
    ):
        return True
    return any(
        rule.family == family and rule.table == LOCAL and is_for_all(rule) for rule in state.policy_rules
    )


def is_for_all(rule: PolicyRule) -> bool:
    """Whether the rule has no selector."""
    return not any(
        (
            rule.source, rule.destination, rule.iif, rule.oif, rule.fwmark, rule.ipproto, rule.sport,
            rule.dport, rule.uidrange, rule.inverted, rule.tos not in {"", "0"},
        )
    )  # fmt: skip


RISK = Risk[PolicyRuleChange](
    id="local-rule-missing",
    title="The local table is no longer asked",
    on=(PolicyRuleChange,),
    judge=judge,
    sources=(
        "Linux, net/ipv4/fib_rules.c, fib_default_rules_init; measured: no rule, no delivery",
        "ip-rule(8)",
    ),
    verify="ip rule show; ip -6 rule show",
    once=True,
)

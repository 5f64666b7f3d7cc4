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

from planner.dataplane.lookup import lookup
from planner.models.change import PolicyRuleChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.route import PolicyRule
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk


def judge(change: PolicyRuleChange, review: Review) -> Iterator[Finding]:
    """Whether packets for the node's own addresses still reach it, for the family of the change."""
    rule = change.after or change.before
    if rule is None or not _deaf(rule.family, review):
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


def _deaf(family: str, review: Review) -> bool:
    """Whether an own address was the node's own for who sends to it, and is not any more."""
    return any(
        lookup(review.before, item.address, link=link.name).type == "local"
        and lookup(review.after, item.address, link=link.name).type != "local"
        for link in review.after.links
        for item in link.addresses
        if link.name != "lo" and link.up and item.family == family and item.scope == "global"
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

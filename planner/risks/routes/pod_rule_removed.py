"""A policy rule that some pods' packets depend on goes.

## Why it matters

Networks with several links per node give pods tables of their own, chosen by source address or by a mark. Without the rule
their packets leave by the main link with a source that the network drops there, or replies take another way than the
requests came.

## When it bites

At once. Another manager of the same rules (netplan, networkd, cloud helpers) removes them when it restarts.

## How to undo

Add the rule again at its preference.

## How to check

`ip rule show`, and `ip route get <destination> from <pod address> iif <pod link>`.
"""

from collections.abc import Iterator

from planner.dataplane.lookup import lookup_query, outside, selected_by
from planner.models.change import PolicyRuleChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.route import DEFAULT, LOCAL, MAIN, PolicyRule
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk
from planner.risks.routes.prefixes import first_address, is_own, is_pods, within


def judge(change: PolicyRuleChange, review: Review) -> Iterator[Finding]:
    """Whether the rule chose pods by source or packets by a mark, and these now go another way."""
    rule = change.before
    if (
        change.after is not None
        or rule is None
        or rule.table in {MAIN, LOCAL, DEFAULT}
        or rule.action != "lookup"
    ):
        return
    if not _moves(rule, review):
        return
    if rule.source and (_is_pod(rule.source, review)):
        told = f"packets of {rule.source} no longer use table {rule.table}"
        breaks: tuple[TrafficClass, ...] = (TrafficClass.POD_TO_EXTERNAL, TrafficClass.POD_TO_POD_CROSS_NODE)
        sure = Confidence.PROVEN
    elif rule.fwmark and _marked(rule.fwmark, review):
        told = f"packets with mark {rule.fwmark} no longer use table {rule.table}: replies take another way than requests came"
        breaks = (TrafficClass.EXTERNAL_TO_NODEPORT_LB, TrafficClass.POD_TO_EXTERNAL)
        sure = Confidence.LIKELY
    else:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"On {change.node} {told}.",
        breaks=breaks,
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=sure,
        remedy="Tell the other manager to leave foreign rules alone (ManageForeignRoutingPolicyRules=no).",
    )


def _moves(rule: PolicyRule, review: Review) -> bool:
    """Whether packets that the rule was for go another way: to the outside, or to what its table has routes for."""
    places = [outside(rule.family, review.before, review.after)]
    places += [
        first_address(route.prefix)
        for route in review.before.routes
        if route.family == rule.family and route.table == rule.table and not route.is_default
    ]
    for place in places:
        query = selected_by(rule, place) if not rule.destination or within(place, rule.destination) else None
        if query is None:
            continue
        was = lookup_query(review.before, rule.family, query)
        if was.rule == rule and was.hops != lookup_query(review.after, rule.family, query).hops:
            return True
    return False


def _is_pod(source: str, review: Review) -> bool:
    text = source if "/" in source else f"{source}/{128 if ':' in source else 32}"
    if is_own(text, review) or is_pods(text, review):
        return True
    addresses = {
        f"{address}/{128 if ':' in address else 32}"
        for pod in (review.cluster.pods if review.cluster else ())
        if pod.node == review.before.name
        for address in pod.addresses
    }
    routed = {
        route.prefix
        for route in review.before.routes
        if any(hop.link in review.topology.pod_links for hop in route.nexthops)
    }
    return any(within(item, text) for item in addresses | routed)


def _marked(mark: str, review: Review) -> bool:
    """Whether a rule of the node writes or restores that mark."""
    value = mark.split("/", maxsplit=1)[0].lower()
    return any(
        value in rule.lower() and ("MARK" in rule)
        for rules in review.after.rulesets
        for table in rules.tables.values()
        for chain in table.chains.values()
        for rule in chain
    )


RISK = Risk[PolicyRuleChange](
    id="pod-rule-removed",
    title="A policy rule of pods goes",
    on=(PolicyRuleChange,),
    judge=judge,
    sources=(
        "amazon-vpc-cni-k8s, docs/cni-proposal.md",
        "systemd networkd.conf(5), ManageForeignRoutingPolicyRules",
    ),
    verify="ip rule show",
)

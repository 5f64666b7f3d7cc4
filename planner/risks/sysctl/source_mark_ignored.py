"""The reverse path lookup stops, or starts, to look at the packet's mark.

## Why it matters

Where policy rules choose a table by mark (WireGuard, a second cloud interface, egress gateways) the way back is only
right with the mark. With src_valid_mark off and the filter on, such packets are dropped.

## When it bites

At once, for every packet that arrives with a mark.

## How to undo

Write the old value back.

## How to check

`sysctl net.ipv4.conf.all.src_valid_mark; ip rule | grep fwmark; nstat -az TcpExtIPReversePathFilter`.
"""

from collections.abc import Iterator

from planner.dataplane.lookup import lookup, outside, reverse_path, selected_by
from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.flow import Disposition
from planner.models.route import PolicyRule
from planner.models.traffic import TrafficClass
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.routes.prefixes import first_address
from planner.risks.sysctl.context import links, turned_off

MOST = 64
"""Senders that are asked for on each link."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Packets with a mark that a rule routes by, whose way back is right only with it."""
    if not turned_off(change):
        return
    rules = [rule for rule in review.after.policy_rules if rule.fwmark and rule.family == "ip"]
    lost = []
    for rule in rules:
        sources, mark = _by_mark(rule, review)
        lost += [
            (link.name, rule.fwmark)
            for link in links(review.after)
            if not link.master and _lost(link.name, sources, mark, review)
        ]
    hit, marks = sorted({link for link, _ in lost}), sorted({mark for _, mark in lost})
    if not hit:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{listed(hit)} on {change.node} no longer looks at marks when it checks the way back, while policy rules route "
            f"by the mark {listed(marks)}: packets of such flows are dropped."
        ),
        breaks=(TrafficClass.POD_TO_EXTERNAL, TrafficClass.EXTERNAL_TO_NODEPORT_LB),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy="Keep src_valid_mark at 1 while rules route by mark.",
    )


def _by_mark(rule: PolicyRule, review: Review) -> tuple[list[str], int]:
    """Senders to whom another way leads back with the rule's mark than without, and that mark."""
    state, found = review.after, []
    places = dict.fromkeys(
        outside("ip", review.before, state) if route.is_default else first_address(route.prefix)
        for route in state.routes
        if route.family == "ip" and route.type == "unicast"
    )
    mark = 0
    for place in places:
        query = selected_by(rule, place)
        if query is None:
            break
        mark = query.mark.value
        if lookup(state, place, mark=mark).hops != lookup(state, place).hops:
            found.append(place)
    return found[:MOST], mark


def _lost(link: str, sources: list[str], mark: int, review: Review) -> bool:
    """Whether marked packets were taken on the link, and are dropped now."""
    return any(
        reverse_path(review.before, link, source, mark=mark).refused is None
        and reverse_path(review.after, link, source, mark=mark).refused is Disposition.RP_FILTER
        for source in sources
    )


RISK = Risk[SysctlChange](
    id="source-mark-ignored",
    title="The check of the way back stops looking at marks",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.src_valid_mark",),
    judge=judge,
    sources=("Linux, net/ipv4/fib_frontend.c __fib_validate_source(), IN_DEV_SRC_VMARK",),
    verify="sysctl -a -r 'net.ipv4.conf.*src_valid_mark'",
)

"""The difference can change where packets go, and whether it does for traffic in use is not known.

## Why it matters

Other risks look at the structure of chains and tables: who is reached, what is in front, whose chain it is. What this
one names is neither proven harmless nor recognised as one of them. Silence would pass ignorance for safety.

## When it bites

When the change does.

## How to undo

The inverse change; see the plan.

## How to check

Trace a packet that should pass through the changed rule or route, before and after: `nft monitor trace`, `ip route get`.
"""

from collections.abc import Iterator
from typing import assert_never

from planner.models.change import (
    Cause,
    ChainChange,
    ChainPolicyChange,
    IpSetChange,
    LinkChange,
    NativeTableChange,
    PolicyRuleChange,
    RouteChange,
    RuleChange,
    SysctlChange,
)
from planner.models.finding import Confidence, Extent, Finding
from planner.risks.netfilter.harmless import Kind, kind_of
from planner.risks.netfilter.ipset_emptied import used
from planner.risks.risk import Review, Risk
from planner.risks.routes.same_way import (
    had_way,
    is_nobodys,
    is_own_block,
    leads_to_owner,
    same_lookups,
    same_rules,
)

Undecided = (
    RuleChange
    | ChainChange
    | ChainPolicyChange
    | NativeTableChange
    | IpSetChange
    | RouteChange
    | PolicyRuleChange
)
BECAUSE = "packets not analysed yet"


def judge(change: Undecided, review: Review) -> Iterator[Finding]:
    """What is left when no other risk spoke: nothing, or unknown, with the way it errs."""
    if any(change is said.change or change in said.related for said in review.said):
        return
    kind, where = _kind(change, review)
    match kind:
        case Kind.NOTHING:
            return
        case Kind.UNUSED:
            yield Finding(
                risk=RISK.id,
                change=change,
                message=f"On {change.node} {where} differs only for addresses or ports that nothing is known to use.",
                onset=change.horizon,
                confidence=Confidence.LIKELY,
            )
            return
        case Kind.LETS_IN:
            extent, words = Extent.NONE, "lets more through than before; by whom it is used is not known"
        case Kind.TAKES:
            extent, words = Extent.PARTIAL, "differs in a way that can take traffic away; which is not known"
        case _:
            assert_never(kind)
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"On {change.node} {where} {words}.",
        extent=extent,
        onset=change.horizon,
        confidence=Confidence.UNKNOWN,
        unknown_because=BECAUSE,
        remedy="Ask `netchange compare` with the same files which packets it is, and probe that path on the first node.",
    )


def _kind(change: Undecided, review: Review) -> tuple[Kind, str]:
    match change:
        case RuleChange() | ChainChange() | ChainPolicyChange():
            tool = "ip6tables" if change.family == "ip6" else "iptables"
            return kind_of(change, review), f"the {change.table} table of {tool} ({change.backend})"
        case IpSetChange():
            quiet = not used(review.before, change.name) and not used(review.after, change.name)
            return (Kind.NOTHING if quiet else Kind.TAKES), f"the ipset {change.name}"
        case NativeTableChange():
            hooked = " hook " in (change.before or "") or " hook " in (change.after or "")
            return (Kind.TAKES if hooked else Kind.NOTHING), f"the nft table {change.table}"
        case RouteChange():
            return _route(change, review), f"routing table {change.route.table}"
        case PolicyRuleChange():
            quiet = same_rules(change, review.before, review.after)
            return (Kind.NOTHING if quiet else Kind.TAKES), "the list of policy rules"
        case _:
            assert_never(change)


def _route(change: RouteChange, review: Review) -> Kind:
    if same_lookups(change, review.before, review.after) or _follows(change, review):
        return Kind.NOTHING
    if leads_to_owner(change, review) or is_nobodys(change, review) or is_own_block(change, review):
        return Kind.UNUSED
    return Kind.TAKES if had_way(change, review.before) else Kind.LETS_IN


def _follows(change: RouteChange, review: Review) -> bool:
    """Whether the kernel changed the route because of another change in the same line, which is judged by itself."""
    return change.cause is Cause.KERNEL and any(
        isinstance(other, LinkChange | SysctlChange)
        and other.horizon == change.horizon
        and (other.source == change.source or other.source is None)
        for other in review.changes
    )


RISK = Risk[Undecided](
    id="packets-not-analysed",
    title="Not decided: packets are not analysed yet",
    on=(
        RuleChange,
        ChainChange,
        ChainPolicyChange,
        NativeTableChange,
        IpSetChange,
        RouteChange,
        PolicyRuleChange,
    ),
    judge=judge,
    sources=("nft(8), monitor trace", "ip-route(8), get"),
    verify="iptables-save; ip route show table all; ip rule show",
    once=True,
    last=True,
)

"""A set that rules ask is emptied, or goes.

## Why it matters

A rule that accepts members of a set accepts nobody once it is empty; one that drops whoever is not in it drops everybody.
The rules did not change, so their difference is empty.

## When it bites

At once.

## How to undo

Load the saved members again (`ipset restore`); swap a filled set into place instead of flushing the one in use.

## How to check

`ipset list <name> | head`; `iptables-save | grep match-set`.
"""

from collections.abc import Iterator

from planner.models.change import IpSetChange
from planner.models.finding import Extent, Finding
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.netfilter.condition import Field, InSet, Not
from planner.risks.netfilter.reading import Reading, read
from planner.risks.netfilter.structure import everywhere, reached
from planner.risks.risk import Review, Risk


def judge(change: IpSetChange, review: Review) -> Iterator[Finding]:
    """Whether it had members, has none now, and what the rules that ask it then do."""
    before = next((item for item in review.before.ipsets if item.name == change.name), None)
    after = next((item for item in review.after.ipsets if item.name == change.name), None)
    if before is None or not before.elements or (after is not None and after.elements):
        return
    for chain, reading, family in users(review.after, change.name):
        outside = any(
            isinstance(condition, Not) and isinstance(condition.condition, InSet)
            for condition in reading.conditions
        )
        if reading.drops and outside:
            what = "drops every packet now"
            extent = Extent.TOTAL if reading.values(Field.DESTINATION_PORT) is None else Extent.PARTIAL
        elif reading.accepts and not outside:
            what, extent = "accepts nobody now", Extent.PARTIAL
        else:
            continue
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"The set {change.name} on {change.node} is empty, and `{reading.text}` in {chain} {what}.",
            breaks=_classes(chain, family),
            extent=extent,
            onset=change.horizon,
            remedy="Fill a second set and swap the two.",
        )


def users(state: NodeState, name: str) -> Iterator[tuple[str, Reading, str]]:
    """Rules that packets reach and that ask the set."""
    for rules in state.rulesets:
        for table in rules.tables.values():
            live = reached(table, rules.family)
            for chain, texts in table.chains.items():
                for text in texts:
                    if f"--match-set {name} " in f"{text} " and chain in live:
                        yield chain, read(text, rules.family), rules.family


def used(state: NodeState, name: str) -> bool:
    """Whether a rule or a set of sets refers to it."""
    return any(f" {name} " in f"{text} " for _, _, _, text in everywhere(state)) or any(
        name in item.elements for item in state.ipsets if item.type == "list:set"
    )


def _classes(chain: str, _family: str) -> tuple[TrafficClass, ...]:
    if chain == "INPUT":
        return (TrafficClass.NODE_MANAGEMENT, TrafficClass.EXTERNAL_TO_NODEPORT_LB)
    return (TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE)


RISK = Risk[IpSetChange](
    id="ipset-emptied",
    title="A set that rules ask is emptied",
    on=(IpSetChange,),
    judge=judge,
    sources=("ipset(8); measured: a flush makes a negated match hit everything, a swap heals it",),
    verify="ipset list -t; iptables-save | grep match-set",
)

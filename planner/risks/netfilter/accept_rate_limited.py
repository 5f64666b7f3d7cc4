"""An accepting rule lets in only so many packets, and what is above falls to a drop.

## Why it matters

A limit counts packets, not connections. Behind it ordinary traffic of the API server or of ssh soon meets the drop. It
looks like the harmless limit on a LOG rule.

## When it bites

As soon as more packets come than the limit says, which ordinary use does.

## How to undo

Take the limit out of the rule.

## How to check

`iptables -vL INPUT` for the counters of the rule and of the drop behind it.
"""

from collections.abc import Iterator

from planner.invariants.api_server_reaches_kubelet import KUBELET
from planner.invariants.node_reaches_api_server import PORT as API
from planner.invariants.operator_reaches_node import SSH
from planner.models.change import RuleChange
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.netfilter.condition import CtStateIs, Field
from planner.risks.netfilter.reading import Reading, read
from planner.risks.netfilter.structure import readings, table_of
from planner.risks.risk import Review, Risk


def judge(change: RuleChange, review: Review) -> Iterator[Finding]:
    """Whether the same rule stood there without a limit, and something drops behind it."""
    if change.table != "filter" or not read(change.rule, change.family).accepts:
        return
    before, after = table_of(review.before, change), table_of(review.after, change)
    rules = readings(after, change.chain, change.family)
    former = [old for old in readings(before, change.chain, change.family) if old.accepts and not old.limited]
    for number, new in enumerate(rules):
        if not new.accepts or not new.limited:
            continue
        wider = [old for old in former if set(old.conditions) < set(new.conditions) and old not in rules]
        if change.rule not in {new.text, *(old.text for old in wider)} or not wider:
            continue
        drops = any(item.drops for item in rules[number + 1 :]) or after.policies.get(change.chain) == "DROP"
        if not drops or any(_established(item) for item in rules[:number]):
            continue
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"`{new.text}` on {change.node} counts packets, not connections: what comes above the limit falls to the drop behind it, "
                "also in connections that are open."
            ),
            breaks=_classes(new),
            extent=Extent.INTERMITTENT,
            onset=change.horizon,
            remedy="Accept ESTABLISHED first and limit only new connections.",
        )


def _established(reading: Reading) -> bool:
    return reading.accepts and any(
        isinstance(condition, CtStateIs) and "ESTABLISHED" in condition.states
        for condition in reading.conditions
    )


def _classes(reading: Reading) -> tuple[TrafficClass, ...]:
    ports = reading.values(Field.DESTINATION_PORT) or ((0, 65535),)
    found = [
        kind
        for port, kind in (
            (SSH, TrafficClass.NODE_MANAGEMENT),
            (API, TrafficClass.NODE_TO_APISERVER),
            (KUBELET, TrafficClass.NODE_TO_APISERVER),
        )
        if any(low <= port <= high for low, high in ports)
    ]
    return tuple(dict.fromkeys(found)) or (TrafficClass.EXTERNAL_TO_NODEPORT_LB,)


RISK = Risk[RuleChange](
    id="accept-rate-limited",
    title="An accept is limited in front of a drop",
    on=(RuleChange,),
    judge=judge,
    sources=("iptables-extensions(8), limit; measured with 1/hour before a DROP",),
    verify="iptables -vL INPUT",
)

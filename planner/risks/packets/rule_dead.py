"""A rule never acts, because no packet comes to its place: nothing leads to its chain, or what does lets none of its packets in.

## Why it matters

A chain that nothing calls is a firewall that is switched off. It looks the same in a listing.

## When it bites

When the change does.

## How to undo

The inverse change; see the plan. A new chain wants a jump from a base chain.

## How to check

`iptables -L CHAIN -v -n`: `(0 references)` behind the name of the chain, or counters that stay at zero.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange
from planner.models.comparison import Idleness
from planner.models.finding import Finding
from planner.risks.moved import MOVERS, Mover
from planner.risks.packets.idle_rules import Idle, idle_rules
from planner.risks.packets.telling import enumerated
from planner.risks.risk import Review, Risk
from planner.topology.owners import owner_of_chain


def judge(change: Mover, review: Review) -> Iterator[Finding]:
    """One finding for the chains that nothing leads to, one for the rules of a chain that get no packets."""
    uncalled: list[Idle] = []
    for idle in idle_rules(change, review, frozenset({Idleness.UNCALLED, Idleness.UNREACHED})):
        one, first = idle.first, idle.changes[0]
        if one.why is Idleness.UNCALLED:
            # Agents keep chains of their own for later, and as canaries.
            if not owner_of_chain(one.chain):
                uncalled.append(idle)
            continue
        others = len(idle.rules) - 1
        more = f", and {others} more of the chain" if others else ""
        again = "" if idle.added else " any more"
        yield Finding(
            risk=RISK.id, change=first, related=idle.changes[1:],
            message=(
                f"{idle.named[0].upper()}{idle.named[1:]}{more} never act{'' if others else 's'}{again} on {first.node}: what leads to chain "
                f"{one.chain} lets none of {'their' if others else 'its'} packets in."
            ),
            onset=first.horizon, side_effects=("observability",), source=idle.source,
        )  # fmt: skip
    if uncalled:
        changes = tuple({id(change): change for idle in uncalled for change in idle.changes}.values())
        number = sum(idle.first.rules for idle in uncalled)
        names = enumerated(f"{idle.first.table} {idle.first.chain}" for idle in uncalled)
        several = len(uncalled) > 1
        again = "" if all(isinstance(change, ChainChange) for change in changes) else " any more"
        yield Finding(
            risk=RISK.id, change=changes[0], related=changes[1:],
            message=(
                f"Nothing on {changes[0].node} leads to chain{'s' if several else ''} {names}{again}: "
                f"{number} rule{'s' if number > 1 else ''} never act{'' if number > 1 else 's'}."
            ),
            onset=changes[0].horizon, side_effects=("observability",),
            source=next((idle.source for idle in uncalled if idle.source is not None), None),
        )  # fmt: skip


RISK = Risk[Mover](
    id="rule-dead",
    title="No packet comes to a rule",
    on=MOVERS,
    judge=judge,
    sources=("iptables(8), user-defined chains",),
    verify="iptables -L -v -n",
    last=2,
)

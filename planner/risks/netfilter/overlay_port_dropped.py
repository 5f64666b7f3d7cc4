"""A rule drops the packets that carry pods' traffic between nodes.

## Why it matters

Encapsulated traffic from other nodes is an ordinary inbound packet of this node: UDP to the vxlan port, or protocol 4.
A host firewall that knows neither pods nor the overlay drops it, and no pod here is reached from elsewhere.

## When it bites

At once.

## How to undo

Delete the rule.

## How to check

`ip -d link show type vxlan` for the port, `iptables -S INPUT` for who drops it.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, RuleChange
from planner.models.finding import Finding
from planner.risks.netfilter.lost import findings
from planner.risks.risk import Review, Risk


def judge(change: RuleChange | ChainChange, review: Review) -> Iterator[Finding]:
    """Overlay packets that a rule now takes."""
    yield from findings(
        change,
        review,
        risk=RISK.id,
        group="rule",
        roles=frozenset({"overlay"}),
        remedy="Accept the overlay's packets from the other nodes in front of it.",
    )


RISK = Risk[RuleChange | ChainChange](
    id="overlay-port-dropped",
    title="A rule drops the overlay's packets",
    on=(RuleChange, ChainChange),
    judge=judge,
    sources=("flannel, Documentation/backends.md (8472); IANA, vxlan 4789; measured with two nodes",),
    verify="ip -d link show type vxlan | grep dstport; iptables -S INPUT",
)

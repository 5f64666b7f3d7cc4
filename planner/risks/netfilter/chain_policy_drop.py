"""A base chain drops what no rule accepts, and something that the node lives by is not accepted.

## Why it matters

A chain policy of DROP takes everything that no rule names: open sessions when no rule accepts ESTABLISHED, the overlay's
packets, pods' forwarded packets, the API server's answers. Docker 1.13, ufw and hardening guides set it.

## When it bites

At once, or at the next start of the service that sets it. Connections that an ESTABLISHED rule accepts go on, so the
first minutes can look fine.

## How to undo

`iptables -P <chain> ACCEPT`, from the console when the operator's session is among what is dropped.

## How to check

`iptables -S INPUT; iptables -S FORWARD; iptables -S OUTPUT`.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, ChainPolicyChange, RuleChange
from planner.models.finding import Finding
from planner.risks.netfilter.lost import findings
from planner.risks.netfilter.structure import cut_off_at, table_of
from planner.risks.risk import Review, Risk


def judge(change: ChainPolicyChange | RuleChange | ChainChange, review: Review) -> Iterator[Finding]:
    """What is lost because the policy changed; when nothing is, that it is there."""
    lost = tuple(
        findings(
            change,
            review,
            risk=RISK.id,
            group="policy",
            roles=frozenset({"control", "overlay", "pods"}),
            remedy="Add the accepts first, ESTABLISHED before all, and the policy last.",
        )
    )
    yield from lost
    if (
        lost
        or not isinstance(change, ChainPolicyChange)
        or change.after != "DROP"
        or change.table != "filter"
    ):
        return
    end = cut_off_at(table_of(review.after, change), change.chain, change.family)
    why = (
        f"rule {end} of the chain takes every packet before"
        if end is not None
        else "rules accept before what the node is known to live by"
    )
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"The policy of {change.chain} on {change.node} becomes DROP; {why}. It bites when such a rule goes.",
        onset=change.horizon,
    )


RISK = Risk[ChainPolicyChange | RuleChange | ChainChange](
    id="chain-policy-drop",
    title="A chain policy drops what the node lives by",
    on=(ChainPolicyChange, RuleChange, ChainChange),
    judge=judge,
    sources=(
        "iptables(8), --policy",
        "Docker 1.13 release notes, FORWARD policy",
        "ufw(8), default routed policy",
    ),
    verify="iptables -S | grep -- -P",
)

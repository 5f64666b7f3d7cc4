"""The first rule that uses connection tracking comes to a node that did not use it.

## Why it matters

Without any rule that needs it the kernel tracks nothing. When such a rule comes, packets of connections that were opened
earlier have no entry, count as new, and miss the accept for ESTABLISHED.

## When it bites

At once, for connections that are open; new ones work.

## How to undo

Delete the rules; connections that broke stay broken.

## How to check

`conntrack -C`, and `iptables-save | grep -c conntrack`.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, RuleChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.netfilter.structure import everywhere
from planner.risks.risk import Review, Risk

USERS = ("-m conntrack", "-m state", "-m connmark", "-m connbytes", "-m connlimit", "-j CONNMARK", "-j CT", "-j MASQUERADE",
         "-j SNAT", "-j DNAT", "-j REDIRECT", "-j NETMAP", "-m helper")  # fmt: skip
"""Extensions that register connection tracking (their checkentry calls nf_ct_netns_get)."""


def judge(change: RuleChange | ChainChange, review: Review) -> Iterator[Finding]:
    """Whether nothing tracked before, something does now, and something drops what is not known."""
    texts = (change.rule,) if isinstance(change, RuleChange) else change.rules
    if not any(_uses(text) for text in texts) or tracks(review.before) or not tracks(review.after):
        return
    if not _drops(review.after):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Connection tracking starts on {change.node} with this rule: connections that are open have no entry and are "
            "dropped as new or invalid; those that are opened afterwards work."
        ),
        breaks=(
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.POD_TO_EXTERNAL,
            TrafficClass.NODE_MANAGEMENT,
        ),
        extent=Extent.NONE,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        remedy="Load one harmless stateful rule first, wait for long connections to send, then add the drop.",
    )


def tracks(state: NodeState) -> bool:
    """Whether anything keeps connection tracking registered; true when that cannot be told."""
    if state.volatile.conntrack.count:
        return True
    words = state.native.text
    if " ct " in words or "masquerade" in words or "dnat" in words or "snat" in words:
        return True
    if any(state.gap(f"iptables/{backend}") is not None for backend in ("nft", "legacy")):
        return True
    return any(_uses(text) for _, _, _, text in everywhere(state))


def _uses(text: str) -> bool:
    return any(word in text for word in USERS)


def _drops(state: NodeState) -> bool:
    return any(
        "DROP" in table.policies.values() for rules in state.rulesets for table in rules.tables.values()
    ) or any("-j DROP" in text or "-j REJECT" in text for _, _, _, text in everywhere(state))


RISK = Risk[RuleChange | ChainChange](
    id="first-stateful-rule",
    title="Connection tracking starts",
    on=(RuleChange, ChainChange),
    judge=judge,
    sources=("Linux, net/netfilter/nf_conntrack_proto.c, nf_ct_netns_get; measured with an open connection",),
    verify="conntrack -C",
    once=True,
)

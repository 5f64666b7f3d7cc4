"""Packets get another source address on their way out than before.

## Why it matters

Order decides in POSTROUTING too. A masquerade in front of the exception for pod-to-pod traffic hides pods behind the
node's address, so NetworkPolicies and access lists stop to match. A rule that accepts in front of the masquerade leaves
pods' own addresses on packets whose answers then never return, and breaks pods that call themselves through a Service.

## When it bites

For new connections; live ones keep their translation.

## How to undo

Restore the former order.

## How to check

`iptables -t nat -S POSTROUTING`, and the source that a server outside sees.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, ChainPolicyChange, RuleChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.invariant import Holding, Kept
from planner.models.traffic import TrafficClass
from planner.risks.blame import blame
from planner.risks.paths import extent_of, lost_with, told
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.topology.prefixes import inside

BETWEEN_PODS = frozenset({"pods-reach-pods-elsewhere", "pods-elsewhere-reach-pods", "pods-reach-pods-here"})


def judge(change: RuleChange | ChainChange | ChainPolicyChange, review: Review) -> Iterator[Finding]:
    """Packets of pods to pods, to the outside and to Services: behind whose address they leave."""
    paths = blame(review, change.horizon)
    mine = paths.by(change)
    if change.table != "nat" or not mine:
        return
    every = review.kept(change.horizon)
    hidden = [item for item in paths.paths if _newly_hidden(item, review)]
    if any(item in mine for item in hidden):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{change.node} now hides {_whom(hidden, review)} behind its own address: "
                "policies and lists of pod addresses stop to match."
            ),
            breaks=(TrafficClass.POD_TO_POD_CROSS_NODE,),
            extent=Extent.PARTIAL,
            side_effects=("source-ip-lost", "networkpolicy"),
            onset=change.horizon,
            remedy="Keep the exception for pod addresses in front of the masquerade.",
        )
    shown = [item for item in paths.paths if _no_longer_hidden(item)]
    if any(item in mine for item in shown):
        sure = all(item.newly_broken for item in shown)
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{change.node} no longer masquerades {told(shown, answers=False)}: the answers do not find their way back.",
            breaks=lost_with(shown),
            extent=max((extent_of(item, every) for item in shown), key=_ORDER.index),
            onset=change.horizon,
            confidence=Confidence.LIKELY if sure else Confidence.UNKNOWN,
            unknown_because="" if sure else shown[0].after.reason,
            remedy="Keep the masquerade, and nothing in front of it that accepts.",
        )


_ORDER = (Extent.NONE, Extent.PARTIAL, Extent.INTERMITTENT, Extent.TOTAL)


def _sources(kept: Kept) -> tuple[str, str]:
    """The sender's address as the opening packet leaves, before and after; empty where it does not."""
    before, after = (
        walked.traces[0].after.source if walked.traces and walked.traces[0].after is not None else ""
        for walked in (kept.before, kept.after)
    )
    return before, after


def _newly_hidden(kept: Kept, review: Review) -> bool:
    before, after = _sources(kept)
    ranges = review.topology.pod_ranges
    return (
        kept.path.invariant in BETWEEN_PODS
        and before == kept.path.flow.source != after
        and bool(after)
        and (inside(before, ranges) or not ranges)
    )


def _no_longer_hidden(kept: Kept) -> bool:
    before, after = _sources(kept)
    lost = kept.newly_broken or (kept.before.holding is Holding.HOLDS and kept.doubtful)
    return lost and bool(before) and before != kept.path.flow.source == after


def _whom(hidden: list[Kept], review: Review) -> str:
    there = {item.path.invariant for item in hidden}
    if "pods-reach-pods-elsewhere" in there:
        return f"{pods(review)} from pods on other nodes"
    if "pods-elsewhere-reach-pods" in there:
        return f"pods on other nodes from {pods(review)}"
    return f"{pods(review)} from each other"


RISK = Risk[RuleChange | ChainChange | ChainPolicyChange](
    id="source-translation-changed",
    title="Packets leave with another source",
    on=(RuleChange, ChainChange, ChainPolicyChange),
    judge=judge,
    sources=(
        "Linux, net/netfilter/nf_nat_core.c, nf_nat_inet_fn; measured: RETURN and MASQUERADE in both orders",
        "Kubernetes, pkg/proxy/iptables/proxier.go, KUBE-POSTROUTING",
    ),
    verify="iptables -t nat -S POSTROUTING",
    once=True,
)

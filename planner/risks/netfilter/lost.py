"""From lifelines that are lost to findings: which of the changes is to blame, and in what words."""

from collections.abc import Iterator

from planner.models.change import ChainChange, ChainEdit, ChainPolicyChange, RuleChange, RuleEdit
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.risks.netfilter.lifelines import Verdict, verdicts
from planner.risks.netfilter.probe import Walk, all_hold
from planner.risks.netfilter.reading import read
from planner.risks.risk import Review

FilterChange = RuleChange | ChainChange | ChainPolicyChange


def to_blame(change: FilterChange, verdict: Verdict) -> bool:
    """Whether the change is where the packet is dropped, or took away what had let it through."""
    if change.family != verdict.line.packet.family:
        return False
    place = (change.backend, change.table, change.chain)
    dropped = verdict.after.dropped
    if place not in verdict.before.chains | verdict.after.chains:
        return False
    match change:
        case ChainPolicyChange():
            if dropped is None:
                return change.after == "DROP"
            return not dropped.rule and place == (dropped.backend, dropped.table, dropped.chain)
        case ChainChange():
            return (change.edit is ChainEdit.REMOVED) == (place in verdict.before.chains)
        case RuleChange():
            reading = read(change.rule, change.family)
            if reading.harmless or all_hold(reading.conditions, Walk(verdict.line.packet, None)) is False:
                return False
            if change.edit is RuleEdit.REMOVED:
                return not reading.drops
            if change.edit is RuleEdit.MOVED:
                return True
            if dropped is not None and not dropped.rule:
                return False
            return not reading.accepts


def voice(verdict: Verdict, review: Review) -> str:
    """Which risk speaks: `policy` when that changed and decides, `accepts` when it decides unchanged, else `rule`."""
    dropped = verdict.after.dropped
    if dropped is None:
        return "policy" if _policy_changed(verdict, review) else "rule"
    if dropped.rule:
        return "rule"
    return "policy" if _policy_changed(verdict, review) else "accepts"


def _policy_changed(verdict: Verdict, review: Review) -> bool:
    return any(
        isinstance(change, ChainPolicyChange)
        and change.after == "DROP"
        and change.before != "DROP"
        and change.family == verdict.line.packet.family
        and (change.backend, change.table, change.chain) in verdict.after.chains
        for change in review.changes
    )


def findings(
    change: FilterChange, review: Review, *, risk: str, group: str, lines: frozenset[str], remedy: str
) -> Iterator[Finding]:
    """What is lost, or may be, by this change: one finding for each place that drops and each extent."""
    spoken = [item for item in verdicts(review) if item.line.group in lines and voice(item, review) == group]
    blamed = [item for item in spoken if to_blame(change, item)]
    for key in sorted({_key(item) for item in blamed if item.lost or group != "rule"}):
        # Everything that shares the place is told, so that findings of several changes read equal and are folded.
        together = [item for item in spoken if _key(item) == key]
        first = together[0]
        told = _enumerated([item.line.words for item in together])
        base = Finding(
            risk=risk,
            change=change,
            message="",
            breaks=tuple(dict.fromkeys(kind for item in together for kind in item.line.breaks)),
            onset=change.horizon,
            remedy=remedy,
        )
        if first.lost:
            cut = any(item.line.cuts_undo for item in together)
            yield base.model_copy(
                update={
                    "message": f"{_who(first)} {change.node} no longer lets through {told}.",
                    "extent": first.line.extent,
                    "cuts_undo": cut,
                    "reversibility": Reversibility.WITH_LOSS if cut else Reversibility.FULL,
                    "undo": "It may need the console." if cut else "",
                }
            )
        else:
            yield base.model_copy(
                update={
                    "message": f"{change.node} may no longer let through {told}.",
                    "extent": Extent.PARTIAL,
                    "confidence": Confidence.UNKNOWN,
                    "unknown_because": f"it depends on `{first.after.doubtful}`, and packets are not analysed yet",
                }
            )


def _key(verdict: Verdict) -> tuple[str, ...]:
    dropped = verdict.after.dropped
    if dropped is None:
        return ("?", verdict.line.packet.family, verdict.after.doubtful)
    return (
        "!",
        verdict.line.packet.family,
        *(dropped.backend, dropped.table, dropped.chain, dropped.rule),
        verdict.line.extent,
    )


def _enumerated(words: list[str]) -> str:
    return words[0] if len(words) == 1 else "; ".join(words[:-1]) + "; and " + words[-1]


def _who(verdict: Verdict) -> str:
    dropped = verdict.after.dropped
    if dropped is None:
        return ""
    if not dropped.rule:
        return f"The policy DROP of {dropped.chain} is reached:"
    return f"`{dropped.rule}` in {dropped.table} {dropped.chain} comes first:"

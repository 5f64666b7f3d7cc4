"""From paths that rules break to findings: which of the changes is to blame, and in what words."""

from collections.abc import Iterator, Sequence

from planner.dataplane.order import NATIVE
from planner.models.change import ChainChange, ChainPolicyChange, RuleChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.invariant import Kept
from planner.risks.blame import blame, ends_at
from planner.risks.paths import extent_of, lost_with, role, told
from planner.risks.risk import Review

FilterChange = RuleChange | ChainChange | ChainPolicyChange


def voice(kept: Kept, review: Review) -> str:
    """Which risk speaks: `policy` when that changed and decides, `accepts` when it decides unchanged, `rule`; else none."""
    place = ends_at(kept)
    if place is None:
        return "rule" if kept.doubtful and kept.after.reason.startswith("-A ") else ""
    if place.backend == NATIVE:
        # No rule of iptables decides: what was changed of nft is told by other risks.
        return ""
    if place.rule:
        return "rule"
    changed = any(
        isinstance(change, ChainPolicyChange)
        and change.after == "DROP"
        and change.before != "DROP"
        and change.family == kept.path.flow.family
        and (change.backend, change.table, change.chain) == (place.backend, place.table, place.chain)
        for change in review.changes
    )
    return "policy" if changed else "accepts"


def findings(
    change: FilterChange, review: Review, *, risk: str, group: str, roles: frozenset[str], remedy: str
) -> Iterator[Finding]:
    """What is cut, or may be, by this change: one finding for each place that decides and each extent."""
    paths = blame(review, change.horizon)
    mine = paths.by(change)
    if change.table == "nat" or not mine:
        return
    every = review.kept(change.horizon)
    spoken = [
        item
        for item in paths.paths
        if (item.newly_broken or item.doubtful) and role(item) in roles and voice(item, review) == group
    ]
    keys = {_key(item, every) for item in spoken if item in mine}
    for key in sorted(keys):
        # Everything that shares the place is told, so that findings of several changes read equal and are folded.
        together = [item for item in spoken if _key(item, every) == key]
        first = together[0]
        cut = any(item.path.cuts_undo for item in together)
        base = Finding(
            risk=risk,
            change=change,
            message=f"{_who(first)} {change.node} no longer lets through {told(together)}.",
            breaks=lost_with(together),
            extent=extent_of(first, every),
            onset=change.horizon,
            remedy=remedy,
            cuts_undo=cut,
            reversibility=Reversibility.WITH_LOSS if cut else Reversibility.FULL,
            undo="It may need the console." if cut else "",
        )
        if first.newly_broken:
            yield base
        else:
            yield base.model_copy(
                update={
                    "message": f"{change.node} may no longer let through {told(together)}.",
                    "extent": Extent.PARTIAL,
                    "cuts_undo": False,
                    "reversibility": Reversibility.FULL,
                    "undo": "",
                    "confidence": Confidence.UNKNOWN,
                    "unknown_because": _depends(first.after.reason),
                }
            )


def _depends(reason: str) -> str:
    return f"it depends on `{reason}`" if reason.startswith("-A ") else reason


def _key(kept: Kept, every: Sequence[Kept]) -> tuple[str, ...]:
    place = ends_at(kept)
    if not kept.newly_broken or place is None:
        return ("?", kept.path.flow.family, kept.after.reason)
    where = (place.backend, place.table, place.chain, place.rule)
    return ("!", kept.path.flow.family, *where, extent_of(kept, every).value)


def _who(kept: Kept) -> str:
    place = ends_at(kept)
    if place is None:
        return ""
    if not place.rule:
        return f"The policy DROP of {place.chain} is reached:"
    return f"`{place.rule}` in {place.table} comes first:"

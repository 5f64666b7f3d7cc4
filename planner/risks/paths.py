"""Paths in findings: what kind they are, how much of it is lost, and in what words."""

from collections.abc import Sequence

from planner.invariants.catalogue import invariant_of
from planner.invariants.invariant import reach
from planner.models.finding import Extent
from planner.models.invariant import Kept
from planner.models.traffic import TrafficClass

MOST = 6
"""Kinds of paths that one sentence names."""


def role(kept: Kept) -> str:
    """control, overlay or pods."""
    invariant = invariant_of(kept.path.invariant)
    if invariant is not None and invariant.underlay and not invariant.control:
        return "overlay"
    own = invariant is not None and (invariant.control or invariant.id.startswith("node-"))
    return "control" if own else "pods"


def lost_with(together: Sequence[Kept]) -> tuple[TrafficClass, ...]:
    """Traffic classes that are lost with these paths."""
    found: dict[TrafficClass, None] = {}
    for item in together:
        invariant = invariant_of(item.path.invariant)
        found.update(dict.fromkeys(invariant.breaks if invariant is not None else (item.path.traffic,)))
    return tuple(found)


def extent_of(kept: Kept, every: Sequence[Kept]) -> Extent:
    """All of its kind on the node, where each path that stands for everybody is cut; else some.

    A single Service, port or peer is some of them even when no other is known.
    """
    kind = [item for item in every if item.path.invariant == kept.path.invariant]
    alike = [item for item in kind if item.path.everybody] or (kind if len(kind) > 1 else [])
    families = {item.path.flow.family for item in every}
    if not kept.path.everybody and kept.path.flow.family == "ip6" and len(families) > 1:
        return Extent.PARTIAL
    invariant = invariant_of(kept.path.invariant)
    if invariant is not None and invariant.underlay and kept.path.everybody:
        alike = [kept]  # either direction alone is of no use
    if not alike or not all(item.newly_broken or item.already_broken for item in alike):
        return Extent.PARTIAL
    if all(item.after.partly for item in alike if item.newly_broken):
        return Extent.INTERMITTENT
    return Extent.TOTAL


def told(together: Sequence[Kept], *, answers: bool = True) -> str:
    """Who reaches whom, one example of each kind; whether it is the answers that are lost is said unless told otherwise."""
    kinds: dict[tuple[str, ...], list[Kept]] = {}
    for item in sorted(together, key=_order):
        one = item.path.name if item.path.cuts_undo else ""
        kinds.setdefault((item.path.invariant, str(item.after.answering), one), []).append(item)
    words = [_words(items, answers=answers) for items in kinds.values()]
    if len(words) > MOST:
        words = [*words[:MOST], f"{len(words) - MOST} other kinds of paths"]
    return words[0] if len(words) == 1 else "; ".join(words[:-1]) + "; and " + words[-1]


def _order(kept: Kept) -> tuple[object, ...]:
    """What cuts the undo first, open sessions before new ones, then what the node lives by, then what pods do."""
    roles = ("control", "overlay", "pods")
    path = kept.path
    return (
        not path.cuts_undo,
        path.flow.state == "NEW",
        roles.index(role(kept)),
        not path.everybody,
        path.name,
    )


def _words(items: Sequence[Kept], *, answers: bool) -> str:
    first = items[0].path
    invariant = invariant_of(first.invariant)
    lost = "answers to " if answers and items[0].after.answering else ""
    chances = " by some of the random choices" if items[0].after.partly else ""
    if len({item.path.words for item in items}) == 1 or invariant is None:
        return f"{lost}{first.words}{chances}"
    flow = first.flow
    example = f"{flow.source} to {reach(flow.destination, flow.destination_port)}"
    return f"{lost}{invariant.words}{chances} ({example} and {len(items) - 1} more)"

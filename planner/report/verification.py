"""A verification in words: where the node stands, what is missing, what is somebody else's, which paths are open."""

import textwrap
from collections.abc import Iterator, Sequence

from planner.models.change import Change
from planner.models.invariant import Holding, Kept
from planner.models.verification import Standing, Verification
from planner.report.escape import visible
from planner.report.words import count, describe

SHOWN = 20
"""Lines of a list that are printed; the rest is counted."""


def describe_verification(one: Verification, *, width: int = 80, full: bool = False) -> str:
    """For people: the verdict in one line, then what does not agree with it."""
    lines = [f"{visible(one.node)}: {verdict(one)}"]
    for title, changes in (
        ("Planned and not in place", one.missing),
        ("Planned, and neither as before nor as predicted (predicted → found)", one.different),
        ("Planned, and could not be looked at", one.unread),
        ("Not of this plan (predicted → found)", one.foreign),
        ("Pods that came or went meanwhile: not counted as differences", one.pods),
    ):
        if changes:
            lines += ["", title, *_cut([_change(change) for change in changes], width, full=full)]
    wrong = [kept for kept in one.paths if kept.after.holding is not kept.before.holding]
    same = [kept for kept in one.paths if kept.after.holding is kept.before.holding]
    if wrong:
        lines += [
            "",
            "Paths that are not as predicted",
            *_cut([_path(kept) for kept in wrong], width, full=full),
        ]
    if same:
        lines += [
            "",
            "Paths that do not hold, as predicted",
            *_cut([_path(kept) for kept in same], width, full=full),
        ]
    if one.gaps:
        lines += ["", "Not compared", *_cut([str(gap) for gap in one.gaps], width, full=full)]
    return "\n".join(lines) + "\n"


def verdict(one: Verification) -> str:
    """One sentence."""
    broken = sum(kept.after.holding is Holding.BROKEN for kept in one.paths)
    told = f"{count(one.holding, 'path')} of {one.holding + len(_not_holding(one.paths))} hold"
    paths = f"; {told}" if one.holding or broken else ""
    unread = f", {len(one.unread)} not looked at" if one.unread else ""
    match one.standing:
        case Standing.APPLIED:
            known = "" if not one.gaps else f", as far as it was read ({count(len(one.gaps), 'gap')})"
            return f"in the predicted state: {count(one.planned, 'planned change')} in place{known}{paths}"
        case Standing.NOT_APPLIED:
            return f"as before the change: none of {count(one.planned, 'planned change')} is in place{unread}{paths}"
        case Standing.PARTLY:
            gone = len(one.missing) + len(one.different)
            return f"in between: {gone} of {count(one.planned, 'planned change')} not in place{unread}{paths}"
        case Standing.UNREAD:
            return (
                f"not known: {len(one.unread)} of {count(one.planned, 'planned change')} could not be looked at"
                f" ({count(len(one.gaps), 'gap')}); what was read is as predicted{paths}"
            )
        case _:
            return (
                f"{count(one.planned - len(one.unread), 'planned change')} in place, and"
                f" {count(len(one.foreign), 'other difference')}{unread}{paths}"
            )


def _not_holding(paths: Sequence[Kept]) -> list[Kept]:
    return [kept for kept in paths if kept.after.holding is not Holding.HOLDS]


def _change(change: Change) -> str:
    return describe(change)


def _path(kept: Kept) -> str:
    why = f": {kept.after.reason}" if kept.after.reason else ""
    predicted, found = kept.before.holding.value, kept.after.holding.value
    told = found if predicted == found else f"{found}, predicted: {predicted}"
    return f"{kept.path.words}: {told}{why}"


def _cut(texts: Sequence[str], width: int, *, full: bool) -> Iterator[str]:
    shown = texts if full else texts[:SHOWN]
    for text in shown:
        yield from textwrap.wrap(
            visible(text),
            max(width, 40),
            initial_indent="  - ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
    if len(texts) > len(shown):
        yield f"  and {len(texts) - len(shown)} more (--full)"

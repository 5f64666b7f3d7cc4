"""What an assessment says of the paths that must stay open: broken, shut between steps, broken before, mended, not known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from planner.models.assessment import Assessment
from planner.models.invariant import Kept
from planner.report.words import count

TITLES: tuple[tuple[str, Callable[[Kept], bool]], ...] = (
    ("Broken by the change", lambda one: one.newly_broken and one.step is None),
    ("Shut between two steps", lambda one: one.step is not None),
    ("Not known any more", lambda one: one.doubtful and one.step is None),
    ("Broken before the change as well", lambda one: one.already_broken and one.step is None),
    ("Mended", lambda one: one.mended and one.step is None),
)


@dataclass(frozen=True, slots=True)
class PathGroup:
    """Paths with the same lot."""

    title: str
    lines: tuple[str, ...]
    """Those with the same reason in one."""


def path_groups(assessment: Assessment) -> tuple[PathGroup, ...]:
    """In order of importance; a group without paths is left out."""
    return tuple(
        PathGroup(f"{title} ({count(len(found), 'path')})", tuple(_lines(found)))
        for title, holds in TITLES
        if (found := [one for one in assessment.invariants if holds(one)])
    )


def _lines(found: list[Kept]) -> Iterator[str]:
    alike: dict[tuple[str, ...], list[Kept]] = {}
    for one in found:
        side = one.before if one.mended else one.after
        key = (one.node, one.path.invariant, side.reason, str(one.step), one.horizon.words)
        alike.setdefault(key, []).append(one)
    for members in alike.values():
        first = members[0]
        side = first.before if first.mended else first.after
        when = (
            f" after step {first.step}"
            if first.step is not None
            else ""
            if not first.horizon
            else f" {first.horizon.words}"
        )
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        answers = "answers to " if side.answering else ""
        reason = f": {side.reason}" if side.reason else ""
        yield f"{first.node}{when}: {answers}{first.path.words}{more}{reason}"

"""What of the walked paths a reader needs: those that are broken, doubtful, mended or shut meanwhile; the rest as a count."""

from collections.abc import Iterable, Iterator

from planner.models.horizon import Horizon
from planner.models.invariant import Holding, Kept


def notable(kept: Iterable[Kept]) -> Iterator[Kept]:
    """Each path once, at the first horizon where it is worth a word, and once for a step that shuts it."""
    told: set[tuple[str, bool]] = set()
    for one in kept:
        changed = one.newly_broken or one.doubtful or one.mended
        if not (changed or one.already_broken or one.step is not None):
            continue
        key = (one.path.name, one.step is not None)
        if key not in told:
            told.add(key)
            yield one


def summary(node: str, kept: tuple[Kept, ...]) -> Iterator[str]:
    """One sentence for each horizon that was looked at."""
    for horizon in Horizon:
        here = [one for one in kept if one.horizon is horizon and one.step is None]
        if here:
            yield f"{node}, {horizon.words}: {_sentence(here)}."


def _sentence(here: list[Kept]) -> str:
    count = len(here)
    held = sum(one.after.holding is Holding.HOLDS for one in here)
    parts = [f"of {count} paths that must stay open {'all' if held == count else held} hold"]
    for words, number in (
        ("newly broken", sum(one.newly_broken for one in here)),
        ("broken before as well", sum(one.already_broken for one in here)),
        ("mended", sum(one.mended for one in here)),
        ("not known any more", sum(one.doubtful for one in here)),
        (
            "not known before either",
            sum(one.after.holding is Holding.UNKNOWN and not one.doubtful for one in here),
        ),
    ):
        if number:
            parts.append(f"{number} {words}")
    return ", ".join(parts)

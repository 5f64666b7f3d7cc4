"""Rules that stand together in a chain, as the rollback reads them."""

from collections.abc import Iterator

from planner.models.plan import Hunk


def hunk_lines(hunk: Hunk) -> Iterator[str]:
    """What stands around the place, what the step has put there and what it has taken away."""
    flags = ("^" if hunk.first else "") + ("$" if hunk.last else "") + ("!" if hunk.bound else "")
    yield f"hunk {flags}"
    yield from (f"< {rule}" for rule in hunk.above)
    yield from (f"> {rule}" for rule in hunk.below)
    yield from (f"- {rule}" for rule in hunk.added)
    yield from (f"+ {rule}" for rule in hunk.removed)
    yield "."

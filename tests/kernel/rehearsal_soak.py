"""Many random proposals, rehearsed: `rehearsal_soak.py FIRST COUNT`. Prints each that leaves something behind, and a figure."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import monotonic

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from rehearsal_random import Player, script, troubles  # noqa: E402 - where the path leads

SLICE = 25
"""Proposals on one stage, before a new one is made."""


def slice_of(first: int, count: int) -> tuple[int, int, list[str]]:
    """Proposals, ways back, and what went wrong."""
    player = Player()
    ways = proposals = 0
    wrong: list[str] = []
    try:
        for seed in range(first, first + count):
            turns = player.play(script(seed))
            proposals += bool(turns)
            ways += len(turns)
            found = list(troubles(turns))
            if found:
                wrong.append("\n  ".join((f"seed {seed}: {script(seed)!r}", *found[:8])))
    finally:
        player.close()
    return proposals, ways, wrong


def main() -> None:
    """Slices side by side, as many as there are processors."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    began = monotonic()
    starts = range(first, first + count, SLICE)
    proposals = ways = 0
    wrong: list[str] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for some, back, bad in pool.map(slice_of, starts, [min(SLICE, first + count - at) for at in starts]):
            proposals, ways = proposals + some, ways + back
            wrong += bad
            print(*bad, sep="\n", end="\n" if bad else "", flush=True)
    print(
        f"{proposals} proposals, taken back from after each of {ways} steps on Linux {os.uname().release}: "
        f"{len(wrong)} with a difference, in {monotonic() - began:.0f} s"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

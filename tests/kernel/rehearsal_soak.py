"""Many random proposals, rehearsed: `rehearsal_soak.py FIRST COUNT`. Prints each that leaves something behind, and a running figure.

Every line that begins with `so far` is a whole result: the proposals below its `next` were played, and `rehearsal_soak.py NEXT COUNT`
goes on from there.
"""

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
        left = [f"{one.what}: wanted `{one.wanted}`, found `{one.found}`" for one in player.last_look()]
        if left:
            wrong.append(
                "\n  ".join((f"after seeds {first} to {first + count - 1}, by the collector:", *left[:8]))
            )
    finally:
        player.close()
    return proposals, ways, wrong


def main() -> None:
    """Slices side by side, as many as there are processors."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    began = monotonic()
    starts = range(first, first + count, SLICE)
    counts = [min(SLICE, first + count - at) for at in starts]
    proposals = ways = wrong = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(slice_of, starts, counts)
        for at, size, (some, back, bad) in zip(starts, counts, results, strict=True):
            proposals, ways, wrong = proposals + some, ways + back, wrong + len(bad)
            for text in bad:
                print(text, flush=True)
            print(
                f"so far {proposals} proposals, taken back from after each of {ways} steps on Linux "
                f"{os.uname().release}: {wrong} with a difference, in {monotonic() - began:.0f} s; next {at + size}",
                flush=True,
            )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

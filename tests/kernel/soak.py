"""`make kernel-soak N=1000`: random nodes judged by the kernel, disagreements shrunk and told at the end.

`python tests/kernel/soak.py FIRST COUNT [SHOWN]`; ends with 1 when model and kernel disagree anywhere. Every second
seed is of a theme, one after the other.
"""

import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from oracle.compare import Comparison, Tally  # noqa: E402
from oracle.run import explain, judge_seed  # noqa: E402
from oracle.states import ANY, THEMES, Theme  # noqa: E402


def theme_of(seed: int) -> Theme:
    """What the node of a seed is about."""
    return THEMES[seed // 2 % len(THEMES)] if seed % 2 else ANY


def judged(seed: int) -> tuple[Tally, list[Comparison]]:
    """One seed."""
    return judge_seed(seed, theme_of(seed))


def main(first: int, count: int, shown: int = 5) -> int:
    """Judge the seeds on all processors."""
    whole, bad = Tally(), {}
    started = time.monotonic()
    seeds = range(first, first + count)
    with ProcessPoolExecutor() as pool:
        for seed, (tally, found) in zip(seeds, pool.map(judged, seeds, chunksize=4), strict=True):
            whole.merge(tally)
            if found:
                bad[seed] = found
                print(f"seed {seed}: {len(found)} disagreements", file=sys.stderr, flush=True)
    print(
        f"seeds {first} to {first + count - 1}, kernel {platform.release()}, {time.monotonic() - started:.0f} s"
    )
    print(whole)
    for seed in sorted(bad)[:shown]:
        print("-" * 80, explain(seed, bad[seed][0], theme_of(seed)), sep="\n", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))

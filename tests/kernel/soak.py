"""`make kernel-soak N=1000`: random nodes judged by the kernel, disagreements shrunk and told at the end.

`python tests/kernel/soak.py FIRST COUNT [SHOWN]`; ends with 1 when model and kernel disagree anywhere. Every second
seed is of a theme, one after the other; of every eighth node the comparison with a changed one is judged as well.
"""

import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from oracle.changes import Judged, judge_change  # noqa: E402
from oracle.compare import Comparison, Tally  # noqa: E402
from oracle.run import explain, judge_seed  # noqa: E402
from oracle.states import ANY, THEMES, Theme  # noqa: E402


def theme_of(seed: int) -> Theme:
    """What the node of a seed is about."""
    return THEMES[seed // 2 % len(THEMES)] if seed % 2 else ANY


def judged(seed: int) -> tuple[Tally, list[Comparison]]:
    """One seed."""
    return judge_seed(seed, theme_of(seed))


def changed(seed: int) -> tuple[Tally, list[Judged], int]:
    """One seed before and after a change."""
    return judge_change(seed, theme_of(seed))


def main(first: int, count: int, shown: int = 5) -> int:
    """Judge the seeds on all processors."""
    seeds = range(first, first + count)
    with ProcessPoolExecutor() as pool:
        print(f"seeds {first} to {first + count - 1}, kernel {platform.release()}")
        bad = _states(pool, seeds, shown)
        return 1 if _changes(pool, seeds[::8]) or bad else 0


def _states(pool: ProcessPoolExecutor, seeds: range, shown: int) -> bool:
    whole, bad = Tally(), {}
    started = time.monotonic()
    for seed, (tally, found) in zip(seeds, pool.map(judged, seeds, chunksize=4), strict=True):
        whole.merge(tally)
        if found:
            bad[seed] = found
            print(f"seed {seed}: {len(found)} disagreements", file=sys.stderr, flush=True)
    print(f"the model, one packet at a time, {time.monotonic() - started:.0f} s", whole, sep="\n", flush=True)
    for seed in sorted(bad)[:shown]:
        print("-" * 80, explain(seed, bad[seed][0], theme_of(seed)), sep="\n", flush=True)
    return bool(bad)


def _changes(pool: ProcessPoolExecutor, seeds: range) -> bool:
    whole, bad, moved = Tally(), {}, 0
    started = time.monotonic()
    for seed, (tally, found, differently) in zip(seeds, pool.map(changed, seeds), strict=True):
        whole.merge(tally)
        moved += differently
        if found:
            bad[seed] = found
            print(f"seed {seed}: {len(found)} faults of the comparison", file=sys.stderr, flush=True)
    print("-" * 80, f"the comparison, all packets at once, {time.monotonic() - started:.0f} s", sep="\n")
    print(whole, f"{moved} packets treated differently after the change", sep="\n", flush=True)
    for seed in sorted(bad)[:5]:
        print("-" * 80, f"seed {seed} ({theme_of(seed).name})", bad[seed][0].fault, sep="\n", flush=True)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))

"""`python -m oracle FIRST COUNT`: seeds judged, disagreements shrunk and told. `make kernel-soak` runs this."""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[3])]

from oracle.compare import Tally  # noqa: E402
from oracle.run import explain, judge_seed  # noqa: E402


def main(first: int, count: int, shown: int = 5) -> int:
    whole, bad = Tally(), []
    with ProcessPoolExecutor() as pool:
        for seed, (tally, found) in zip(
            range(first, first + count),
            pool.map(judge_seed, range(first, first + count), chunksize=4),
            strict=True,
        ):
            whole.merge(tally)
            bad += [(seed, one) for one in found]
            if found:
                print(f"seed {seed}: {len(found)} disagreements", file=sys.stderr)
    print(whole)
    told: set[int] = set()
    for seed, one in bad:
        if seed not in told and len(told) < shown:
            told.add(seed)
            print("-" * 80, explain(seed, one), sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))

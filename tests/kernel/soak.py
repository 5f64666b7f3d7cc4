"""`make kernel-soak N=1000`: random nodes judged by the kernel, disagreements shrunk and told at the end.

`python tests/kernel/soak.py FIRST COUNT [SHOWN]`; ends with 1 when model and kernel disagree anywhere, with 130 when it was stopped. Every second
seed is of a theme, one after the other; of every eighth node the comparison with a changed one is judged as well. The last lines are the figure for the
documentation; Ctrl-C stops it, and the figure is then of what was judged until then.
"""

import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from oracle.changes import Judged, judge_change  # noqa: E402
from oracle.compare import Comparison, Tally, Verdict  # noqa: E402
from oracle.run import explain, judge_seed  # noqa: E402
from oracle.states import ANY, THEMES, Theme  # noqa: E402

Result = TypeVar("Result")
AHEAD = 8
"""Seeds handed out and not yet judged."""


def theme_of(seed: int) -> Theme:
    """What the node of a seed is about."""
    return THEMES[seed // 2 % len(THEMES)] if seed % 2 else ANY


def judged(seed: int) -> tuple[Tally, list[Comparison]]:
    """One seed."""
    return judge_seed(seed, theme_of(seed))


def changed(seed: int) -> tuple[Tally, list[Judged], int]:
    """One seed before and after a change."""
    return judge_change(seed, theme_of(seed))


def quietly() -> None:
    """Ctrl-C goes to every process of the terminal; only the first one decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass(slots=True)
class Figure:
    """What came of it so far."""

    whole: Tally = field(default_factory=Tally)
    bad: dict[int, list[Comparison]] = field(default_factory=dict)
    changes: Tally = field(default_factory=Tally)
    moved: int = 0
    faults: dict[int, list[Judged]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    stopped: bool = False

    def lines(self, first: int, count: int) -> Iterator[str]:
        """For the documentation."""
        seconds = time.monotonic() - self.started
        yield (
            f"{'stopped early; ' if self.stopped else ''}seeds from {first}, {self.whole.states} of {count} judged, "
            f"Linux {platform.release()}, {seconds:.0f} s"
        )
        yield from told("one packet at a time", self.whole)
        if self.changes.probes:
            yield from told("all packets at once, before and after a change", self.changes)
            yield f"  {self.moved} packets treated differently after the change"


def told(what: str, tally: Tally) -> Iterator[str]:
    """`80,000 probes over 1,000 states: agree 77,358 (96.70 %), …`."""
    parts = [
        f"{verdict.value} {tally.verdicts[verdict]:,} ({tally.verdicts[verdict] / max(1, tally.probes):.3%})"
        for verdict in Verdict
    ]
    yield f"{what}: {tally.probes:,} probes over {tally.states:,} states: {', '.join(parts)}"


def main(first: int, count: int, shown: int = 5) -> int:
    """Judge the seeds on all processors."""
    seeds = range(first, first + count)
    figure = Figure()
    print(f"seeds {first} to {first + count - 1}, kernel {platform.release()}", flush=True)
    pool = ProcessPoolExecutor(initializer=quietly)
    try:
        _states(pool, seeds, figure)
        _changes(pool, seeds[::8], figure)
    except KeyboardInterrupt:
        figure.stopped = True
    quietly()
    pool.shutdown(wait=True, cancel_futures=True)
    print(f"the model, one packet at a time\n{figure.whole}", flush=True)
    for seed in sorted(figure.bad)[:shown] if not figure.stopped else ():
        print("-" * 80, explain(seed, figure.bad[seed][0], theme_of(seed)), sep="\n", flush=True)
    for seed in sorted(figure.faults)[:shown]:
        print(
            "-" * 80,
            f"seed {seed} ({theme_of(seed).name})",
            figure.faults[seed][0].fault,
            sep="\n",
            flush=True,
        )
    print("-" * 80, *figure.lines(first, count), sep="\n", flush=True)
    if figure.bad or figure.faults:
        return 1
    return 130 if figure.stopped else 0


def _states(pool: ProcessPoolExecutor, seeds: range, figure: Figure) -> None:
    for seed, (tally, found) in each(pool, judged, seeds):
        figure.whole.merge(tally)
        if found:
            figure.bad[seed] = found
            print(f"seed {seed}: {len(found)} disagreements", file=sys.stderr, flush=True)


def _changes(pool: ProcessPoolExecutor, seeds: range, figure: Figure) -> None:
    for seed, (tally, found, differently) in each(pool, changed, seeds):
        figure.changes.merge(tally)
        figure.moved += differently
        if found:
            figure.faults[seed] = found
            print(f"seed {seed}: {len(found)} faults of the comparison", file=sys.stderr, flush=True)


def each(
    pool: ProcessPoolExecutor, judge: Callable[[int], Result], seeds: range
) -> Iterator[tuple[int, Result]]:
    """Seeds as they come, so many at a time that a stop has not long to wait."""
    waiting: dict[Future[Result], int] = {}
    left = iter(seeds)
    while True:
        while len(waiting) < AHEAD and (seed := next(left, None)) is not None:
            waiting[pool.submit(judge, seed)] = seed
        if not waiting:
            return
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            yield waiting.pop(future), future.result()


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))

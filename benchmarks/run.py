"""netchange beside other ways to the same answer, at three sizes of cluster: one table, every figure of this run.

python -m benchmarks.run                     all sizes, a table for the terminal
python -m benchmarks.run --services 1000     one size
python -m benchmarks.run --markdown          the table for the documentation
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plan
from benchmarks.measure import NETNS, Run, machine, run_median, run_once
from benchmarks.table import draw

SIZES = (1_000, 5_000, 20_000)
PYTHON = (sys.executable, "-X", "utf8")
HEAD = ("what", "wall s", "CPU s", "peak MiB", "answer")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    wall: str = ""
    cpu: str = ""
    peak: str = ""
    answer: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.what, self.wall, self.cpu, self.peak, self.answer)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of one size."""

    before: str
    changed: str
    """One rule of KUBE-SERVICES has another port."""
    shuffled: str
    """What the same kube-proxy writes after a restart: other order, nothing else."""
    snapshots: tuple[str, str, str]


def make_inputs(services: int, folder: Path) -> tuple[Inputs, str]:
    """The rule sets, and a sentence about them.

    Another process makes them: what this one holds in memory would count as the peak of every process it starts.
    """
    run = run_once((*PYTHON, "-m", "benchmarks.kubeproxy", str(services), "--folder", str(folder)), limit=600)
    if run.status != 0:
        raise SystemExit(run.errors)
    names = ("before", "changed", "shuffled")
    before, changed, shuffled = (str(folder / f"{name}.iptables-save") for name in names)
    first, second, third = (str(folder / f"{name}.json") for name in names)
    return Inputs(before, changed, shuffled, (first, second, third)), run.output.strip()


def step_row(what: str, *arguments: str, runs: int, limit: float) -> Row:
    """A step of ours or of a library, without the start of its process."""
    run = run_median((*PYTHON, "-m", "benchmarks.step", *arguments), runs=runs, limit=limit)
    if run.status != 0:
        return Row(what, answer=trouble(run, limit))
    figures = json.loads(run.output)
    return Row(
        what, f"{figures['wall']:.2f}", f"{figures['cpu']:.2f}", f"{run.peak / 2**20:.0f}", figures["answer"]
    )


def process_row(
    what: str,
    *argv: str,
    runs: int,
    limit: float,
    stdin: str = "",
    good: tuple[int, ...] = (0,),
    unit: str = "",
) -> Row:
    """A whole process, with its start."""
    run = run_median(argv, runs=runs, stdin=stdin, limit=limit)
    if run.status not in good:
        return Row(what, answer=trouble(run, limit))
    answer = f"{len(run.output.splitlines()):,} {unit}" if unit else "loads"
    return Row(what, f"{run.wall:.2f}", f"{run.cpu:.2f}", f"{run.peak / 2**20:.0f}", answer)


def trouble(run: Run, limit: float) -> str:
    """Why there is no figure."""
    if run.status is None:
        return f"stopped after {limit:.0f} s"
    return f"exit {run.status}: {' '.join(run.errors.split())[-100:]}"


def rows(inputs: Inputs, *, runs: int, limit: float) -> Iterator[Row]:
    """Ours, then the peers, in one run on one machine."""
    options = {"runs": runs, "limit": limit}
    before, changed, shuffled = inputs.before, inputs.changed, inputs.shuffled
    yield step_row("read iptables-save text", "read", before, **options)
    for source, target in zip((before, changed, shuffled), inputs.snapshots, strict=True):
        dumped = step_row(
            "write a snapshot", "dump", source, target, **{**options, "runs": runs if source == before else 1}
        )
        if source == before:
            yield dumped
    yield step_row("load a snapshot", "load", inputs.snapshots[0], **options)
    yield step_row("compare: one rule changed", "rules", before, changed, **options)
    yield step_row("compare: kube-proxy's order changed", "rules", before, shuffled, **options)
    command = (*PYTHON, "-c", "from planner.cli.main import main; main()", "diff")
    good = {"good": (0, 2), "unit": "changes", **options}
    yield process_row(
        "`netchange diff`, whole process: one rule",
        *command,
        inputs.snapshots[0],
        inputs.snapshots[1],
        **good,
    )
    yield process_row(
        "`netchange diff`, whole process: order", *command, inputs.snapshots[0], inputs.snapshots[2], **good
    )
    lines = {"good": (0, 1), "unit": "lines", **options}
    yield process_row("GNU diff: one rule", "diff", before, changed, **lines)
    yield process_row("GNU diff: order", "diff", before, shuffled, **lines)
    yield step_row("deepdiff on the lines: one rule", "deepdiff", before, changed, **{**options, "runs": 1})
    yield step_row("deepdiff on the lines: order", "deepdiff", before, shuffled, **{**options, "runs": 1})
    for backend in ("nft", "legacy"):
        what = f"iptables-{backend}-restore --test"
        tool = shutil.which(f"iptables-{backend}-restore")
        if tool is None or os.geteuid() != 0:
            yield Row(what, answer="not installed" if tool is None else "needs root")
        else:
            yield process_row(
                what, *NETNS, tool, "--test", stdin=changed, **{**options, "runs": min(runs, 3)}
            )


def startup_rows(*, runs: int) -> Iterator[Row]:
    """What every call pays."""
    bare = run_median((*PYTHON, "-c", "pass"), runs=runs, limit=60)
    yield Row("python that does nothing", f"{bare.wall:.2f}", f"{bare.cpu:.2f}", f"{bare.peak / 2**20:.0f}")
    yield process_row(
        "`netchange --help`", *PYTHON, "-c", "from planner.cli.main import main; main()", "--help", runs=runs, limit=60, unit="lines"
    )  # fmt: skip


def show(title: str, table: list[Row], *, markdown: bool) -> None:
    """One table, for a terminal or for a page."""
    draw(title, [HEAD, *(row.cells for row in table)], markdown=markdown)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", type=int, action="append", help="a size; may be given several times")
    parser.add_argument("--runs", type=int, default=5, help="runs of which the median is shown")
    parser.add_argument("--limit", type=float, default=60, help="seconds after which a run is stopped")
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    print(f"{machine()}; median of {chosen.runs}")
    show("every call", list(startup_rows(runs=chosen.runs)), markdown=chosen.markdown)
    for services in chosen.services or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            inputs, about = make_inputs(services, Path(folder))
            table = list(rows(inputs, runs=chosen.runs, limit=chosen.limit))
        show(about, table, markdown=chosen.markdown)
        about, lines = plan.measured(services, runs=min(chosen.runs, 3), limit=max(chosen.limit, 120))
        draw(f"a whole node in a cluster, {about}", lines, markdown=chosen.markdown)


if __name__ == "__main__":
    main()

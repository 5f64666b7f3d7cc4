"""What a comparison costs against the size of the node and the size of the change: a table and a plot.

python -m benchmarks.change_size                      all sizes, a table for the terminal
python -m benchmarks.change_size --services 1000      one size
python -m benchmarks.change_size --linear             only the long chain of a firewall
python -m benchmarks.change_size --write docs/benchmarks    the pages and the plot of the documentation
"""

import argparse
import gc
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import linear
from benchmarks.chart import Line, Panel, draw
from benchmarks.kubeproxy import POD_RANGE, Service, iptables_save, make_services
from benchmarks.measure import NETNS, Run, machine, run_once
from benchmarks.plan import COMMAND, RANGE, node
from planner.dataplane.symbolic.chains import Budget
from planner.dataplane.symbolic.compare import compare
from planner.dataplane.symbolic.reach import reach
from planner.emit.snapshot import dump_snapshot
from planner.models.node import NodeState
from planner.models.snapshot import Snapshot
from planner.parse.snapshot import load_snapshot

SIZES = (1_000, 5_000, 20_000)
CHANGES = (1, 10, 100, 1_000)
RULES = 5_000
"""Of the firewall."""
PYTHON = (sys.executable, "-X", "utf8")
HEAD = ("rules", "changed", "what", "wall s", "CPU s", "peak MiB", "answer")
LINEAR = {
    "moved": "one rule moved; all packets, of which only those that meet it can differ",
    "policy": "policy of FORWARD becomes ACCEPT; all packets",
    "reach": "`netchange reach`: every packet by the rule that decides",
}
NOBUDGET = 10**9


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    rules: int
    changed: int
    what: str
    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    answer: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table; without figures where the run did not end well."""
        figures = (
            ("", "", "")
            if not self.cpu
            else (f"{self.wall:.2f}", f"{self.cpu:.2f}", f"{self.peak / 2**20:.0f}")
        )
        return (
            f"{self.rules:,}",
            f"{self.changed:,}" if self.changed else "",
            self.what,
            *figures,
            self.answer,
        )


def edits(services: list[Service], changed: int) -> dict[str, tuple[str, str]]:
    """By chain, the old and the new destination of so many endpoints, spread over all Services."""
    every = [(one.endpoint_chain(endpoint), endpoint) for one in services for endpoint in one.endpoints]
    chosen = [every[at * len(every) // changed] for at in range(changed)]
    return {
        chain: (endpoint, f"10.245.{201 + at // 250}.{at % 250 + 1}:8080")
        for at, (chain, endpoint) in enumerate(chosen)
    }


def write_inputs(count: int, folder: Path) -> int:
    """Snapshots and rule sets before and after each change; the number of rules."""
    services = make_services(count)
    text = iptables_save(services).replace(POD_RANGE, RANGE)
    before = node(text)
    (folder / "before.json").write_bytes(dump_snapshot(before))
    (folder / "before.iptables-save").write_text(text)
    rules = next(held for held in before.nodes[0].rulesets if held.family == "ip" and "nat" in held.tables)
    nat = rules.tables["nat"]
    for changed in CHANGES:
        told = {
            chain: [f" --to-destination {one}" for one in pair]
            for chain, pair in edits(services, changed).items()
        }
        chains = dict(nat.chains)
        for chain, (old, new) in told.items():
            chains[chain] = tuple(
                rule.removesuffix(old) + new if rule.endswith(old) else rule for rule in nat.chains[chain]
            )
        other = rules.model_copy(
            update={"tables": {**rules.tables, "nat": nat.model_copy(update={"chains": chains})}}
        )
        held = tuple(other if one is rules else one for one in before.nodes[0].rulesets)
        state = before.nodes[0].model_copy(update={"rulesets": held})
        (folder / f"after-{changed}.json").write_bytes(
            dump_snapshot(before.model_copy(update={"nodes": (state,)}))
        )
        lines = text.split("\n")
        for at, line in enumerate(lines):
            chain = line.split(" ", 2)[1] if line.startswith("-A KUBE-SEP-") else ""
            if chain in told and line.endswith(told[chain][0]):
                lines[at] = line.removesuffix(told[chain][0]) + told[chain][1]
        (folder / f"after-{changed}.iptables-save").write_text("\n".join(lines))
    return rules.size


def rows(folder: Path, count: int, *, limit: float) -> Iterator[Row]:
    """Ours and, beside it, what answers less."""
    made = run_once(
        (*PYTHON, "-m", "benchmarks.change_size", "--inputs", str(folder), "--services", str(count)),
        limit=600,
    )
    if made.status != 0:
        raise SystemExit(made.errors)
    rules = int(made.output.split()[-1])
    before = folder / "before.json"
    for changed in CHANGES:
        after = folder / f"after-{changed}.json"
        step = run_once(
            (*PYTHON, "-m", "benchmarks.change_size", "--step", str(before), str(after)), limit=limit
        )
        yield stepped(rules, changed, "comparison of all packets", step, limit)
        run = run_once((*COMMAND, str(before), str(after)), limit=limit)
        yield whole(rules, changed, "`netchange plan`, whole process", run, limit)
        texts = [str(folder / f"{name}.iptables-save") for name in ("before", f"after-{changed}")]
        yield whole(rules, changed, "GNU diff (lines)", run_once(("diff", *texts), limit=limit), limit)
        run = run_once((*PYTHON, "-m", "benchmarks.step", "deepdiff", *texts), limit=limit)
        yield stepped(rules, changed, "deepdiff on the lines", run, limit)
    tool = shutil.which("iptables-legacy-restore")
    if tool is not None and os.geteuid() == 0:
        argv = (*NETNS, tool, "--test")
        run = run_once(argv, stdin=str(folder / "after-1.iptables-save"), limit=limit)
        yield whole(rules, 0, "iptables-legacy-restore --test (would load)", run, limit)


def linear_rows(*, limit: float) -> Iterator[Row]:
    """The long chain of a firewall."""
    for name, words in LINEAR.items():
        run = run_once((*PYTHON, "-m", "benchmarks.change_size", "--linear-step", name), limit=limit)
        yield stepped(RULES, 0 if name == "reach" else 1, words, run, limit)


def stepped(rules: int, changed: int, what: str, run: Run, limit: float) -> Row:
    """A step that tells its own figures."""
    if run.status != 0:
        return Row(rules, changed, what, answer=trouble(run, limit))
    told = json.loads(run.output)
    return Row(rules, changed, what, told["wall"], told["cpu"], told.get("peak", run.peak), told["answer"])


def whole(rules: int, changed: int, what: str, run: Run, limit: float) -> Row:
    """A whole process."""
    if run.status not in {0, 1}:
        return Row(rules, changed, what, answer=trouble(run, limit))
    answer = f"{len(run.output.splitlines()):,} lines" if what.startswith("GNU") else ""
    if what.startswith("`netchange"):
        told = json.loads(run.output)
        doubts = told["packets_unknown"]
        answer = (
            f"unknown: {doubts[0]}"
            if doubts
            else f"{told['level']}, {len(told['packets'])} classes of packets"
        )
    return Row(rules, changed, what, run.wall, run.cpu, run.peak, answer)


def trouble(run: Run, limit: float) -> str:
    """Why there is no figure."""
    if run.status is None:
        return f"stopped after {limit:.0f} s"
    return f"exit {run.status}: {' '.join(run.errors.split())[-80:]}"


def step(before: NodeState, after: NodeState) -> None:
    """One comparison, without the start of its process and the reading of its files."""
    gc.collect()
    gc.freeze()
    gc.disable()  # as the command line does
    wall, cpu = time.perf_counter(), time.process_time()
    found = compare(before, after, budget=Budget(NOBUDGET))
    answer = f"{len(found.classes)} classes of packets"
    if found.unknown:
        answer = f"unknown: {found.unknown[0]}"
    tell(wall, cpu, answer)


def tell(wall: float, cpu: float, answer: str) -> None:
    """The figures of a step, for the process that asked for it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({**took, "peak": peak, "answer": answer}))


def linear_step(name: str) -> None:
    """One question about the firewall."""
    held = linear.rules(RULES)
    before = linear.node(linear.iptables_save(held))
    match name:
        case "moved":
            step(before, linear.node(linear.iptables_save(linear.moved(held))))
        case "policy":
            step(before, linear.node(linear.iptables_save(held, policy="ACCEPT")))
        case _:
            gc.disable()
            wall, cpu = time.perf_counter(), time.process_time()
            found = reach(before, budget=Budget(NOBUDGET), most=12)
            tell(wall, cpu, f"{len(found.groups) + sum(found.more.values()):,} groups of packets")


def table(held: list[Row], *, markdown: bool) -> str:
    """For a terminal or for a page."""
    lines = [HEAD, *(row.cells for row in held)]
    widths = [max(len(row[at]) for row in lines) for at in range(len(HEAD))]
    words = {2, 6}
    found = []
    for number, row in enumerate(lines):
        padded = [
            cell.ljust(widths[at]) if at in words else cell.rjust(widths[at]) for at, cell in enumerate(row)
        ]
        found.append(f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip())
        if markdown and number == 0:
            rule = [
                "-" * width if at in words else "-" * (width - 1) + ":" for at, width in enumerate(widths)
            ]
            found.append(f"| {' | '.join(rule)} |")
    return "\n".join(found)


def plot(held: list[Row]) -> str:
    """CPU seconds against the number of changed rules, a line for each size."""
    sizes = sorted({row.rules for row in held})
    panels = []
    for title, what in (
        ("comparison of all packets", "comparison"),
        ("netchange plan, whole process", "`netchange plan`"),
    ):
        lines = []
        for size in sizes:
            points = [
                (float(row.changed), row.cpu)
                for row in held
                if row.rules == size and row.what.startswith(what) and row.cpu
            ]
            if points:
                lines.append(Line(f"{size:,}", tuple(points)))
        panels.append(Panel(title, "rules changed", "CPU s, by rules", tuple(lines)))
    return draw(panels, "CPU seconds against the number of changed rules, for three sizes of node")


def page(about: str, held: list[Row], firewall: list[Row]) -> str:
    """The page of the documentation."""
    return f"""# Cost against the size of a change

`make bench` writes this page and its plot again (`.venv/bin/python -m benchmarks.change_size --write docs/benchmarks`). Every figure is of one run on one machine:
{about}.

A node of the demonstration in a cluster of 512, with 1,000, 5,000 and 20,000 Services in kube-proxy's form beside its own. *Changed*: so many endpoints, spread over all Services,
have another address; one rule for each. The comparison is the step alone, with both states in memory and without a limit; `netchange plan` is the whole process, from two snapshots
on disk to the report in JSON, with its usual budget.

![CPU seconds against changed rules](change-size.svg)

No other program that runs here answers which packets are treated differently. Beside it stand what tells lines apart (GNU diff, deepdiff) and what tells whether a file would
load (`iptables-restore --test`).

{table(held, markdown=True)}

## A linear firewall

One FORWARD chain of {RULES:,} rules with random prefixes, ports, ranges, lists of ports and links (`benchmarks/linear.py`), hardly any of which covers another: the worst case for sets of
packets, and none that occurs. One rule moved is compared where packets can meet it; the other two lines are about every packet.

{table(firewall, markdown=True)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", type=int, action="append", help="a size; may be given several times")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a run is stopped")
    parser.add_argument("--linear", action="store_true", help="only the firewall")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", type=Path, help="write change-size.md and change-size.svg to this folder")
    parser.add_argument("--step", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--linear-step", choices=sorted(LINEAR), help=argparse.SUPPRESS)
    parser.add_argument("--inputs", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        states: list[Snapshot] = [load_snapshot(path.read_bytes(), name=str(path)) for path in chosen.step]
        step(states[0].nodes[0], states[1].nodes[0])
        return
    if chosen.linear_step:
        linear_step(chosen.linear_step)
        return
    if chosen.inputs:
        print(write_inputs(chosen.services[0], chosen.inputs))
        return
    about = machine()
    print(about, flush=True)
    held: list[Row] = []
    for count in () if chosen.linear else chosen.services or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            found = list(rows(Path(folder), count, limit=chosen.limit))
        print(f"\n{table(found, markdown=chosen.markdown)}", flush=True)
        held += found
    firewall = list(linear_rows(limit=chosen.limit))
    print(f"\n{table(firewall, markdown=chosen.markdown)}")
    if chosen.write and held:
        chosen.write.mkdir(exist_ok=True)
        (chosen.write / "change-size.md").write_text(page(about, held, firewall))
        (chosen.write / "change-size.svg").write_text(plot(held))


if __name__ == "__main__":
    main()

"""What a rehearsal costs on a large node, part by part: rebuild, change, look, way back, look and comparison.

python -m benchmarks.rehearsal                                   both backends, 20,000 Services (some minutes)
python -m benchmarks.rehearsal --services 1000 --backend nft     one of them
python -m benchmarks.rehearsal --markdown                        the table for the documentation
"""

import argparse
import json
import resource
import sys
from itertools import pairwise
from time import monotonic

from benchmarks.kubeproxy import iptables_save, make_services
from benchmarks.measure import machine, run_once
from benchmarks.table import draw
from planner.models.node import NodeState
from planner.models.proposal import Fragment, FragmentKind
from planner.models.ruleset import Backend
from planner.parse.iptables_save import parse_iptables_save
from planner.plan.build import build_plan
from planner.proposal.propose import propose
from planner.rehearse.facts import compare
from planner.rehearse.isolation import Isolation
from planner.rehearse.run import large_messages
from planner.rehearse.scripts import Scripts
from planner.rehearse.stage import Stage

PARTS = ("rebuild", "change", "look", "back", "look again", "compare")
HEAD = ("a rehearsal of one rule", "rules", *(f"{part} s" for part in PARTS), "peak MiB", "left behind")
LIMIT = 3600.0
BACKENDS: tuple[Backend, ...] = ("legacy", "nft")


def node(services: int, backend: Backend) -> NodeState:
    """A node with the rules of kube-proxy and nothing else."""
    ruleset, _ = parse_iptables_save(iptables_save(make_services(services)), family="ip", backend=backend)
    return NodeState(name="large", rulesets=(ruleset,), iptables_default=backend)


def step(services: int, backend: Backend) -> None:
    """One rehearsal; prints its times as JSON."""
    large = node(services, backend)
    text = f"iptables-{backend} -t nat -I KUBE-SERVICES 1 -d 10.96.0.1/32 -p tcp -j RETURN\n"
    change = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text=text)
    plan = build_plan(propose(large, (change,)))
    marks = [monotonic()]
    walls = Isolation.PLAIN if large_messages(plan) else None
    with Stage(large, isolation=walls) as stage:
        stage.rebuild()
        scripts = Scripts.on(stage, plan)
        marks.append(monotonic())
        done = scripts.apply()
        marks.append(monotonic())
        stage.look().state()
        marks.append(monotonic())
        back = scripts.rollback()
        marks.append(monotonic())
        found = stage.look().state()
        marks.append(monotonic())
        left = compare(stage.original, found)
        marks.append(monotonic())
    print(
        json.dumps(
            {
                "rules": sum(ruleset.size for ruleset in large.rulesets),
                "seconds": [round(after - before, 1) for before, after in pairwise(marks)],
                "left": len(left),
                "trouble": ""
                if done.status == back.status == 0
                else f"{done.stderr[-200:]} {back.stderr[-200:]}",
                "reasons": sorted(set(stage.reasons.values())) if stage.reasons else [],
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    )


def main() -> None:
    """Each in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--services", type=int, default=20_000)
    parser.add_argument("--backend", choices=BACKENDS)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--step", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step(given.services, given.backend)
        return
    rows: list[tuple[str, ...]] = [HEAD]
    for backend in (given.backend,) if given.backend else BACKENDS:
        argv = [
            "-m",
            "benchmarks.rehearsal",
            "--step",
            "--services",
            str(given.services),
            "--backend",
            backend,
        ]
        run = run_once((sys.executable, *argv), limit=LIMIT)
        if run.status:
            rows.append((f"{backend} backend", "", *("" for _ in PARTS), "", f"exit {run.status}"))
            continue
        told = json.loads(run.output)
        seconds = (f"{value:.1f}" for value in told["seconds"])
        rows.append(
            (
                f"{backend} backend",
                f"{told['rules']:,}",
                *seconds,
                str(told["peak"]),
                told["trouble"] or str(told["left"]),
            )
        )
    print(machine())
    draw("One rule in nat, rehearsed and taken back", rows, markdown=given.markdown)


if __name__ == "__main__":
    main()

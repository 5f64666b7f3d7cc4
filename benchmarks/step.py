"""One step of the pipeline in a process of its own: prints what the step alone took, as JSON."""

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from planner.models.node import NodeState
from planner.models.snapshot import Snapshot


def node_state(path: str) -> NodeState:
    """A node that holds these rules and nothing else."""
    from planner.parse.iptables_save import parse_iptables_save

    ruleset, gaps = parse_iptables_save(
        Path(path).read_text(), family="ip", backend="nft", tool="iptables-nft-save v1.8.9", name=path
    )
    if gaps:
        raise SystemExit(f"{path}: {gaps[0]}")
    return NodeState(name="node-1", rulesets=(ruleset,))


def snapshot(path: str) -> Snapshot:
    return Snapshot(taken_at="1970-01-01T00:00:00Z", collector="benchmark", nodes=(node_state(path),))


def timed(work: Callable[[], object]) -> tuple[object, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    step, *paths = sys.argv[1:]
    gc.disable()  # as the command line does
    answer = ""
    match step:
        case "read":
            state, wall, cpu = timed(lambda: node_state(paths[0]))
            answer = f"{state.rulesets[0].size:,} rules"
        case "dump":
            from planner.emit.snapshot import dump_snapshot

            whole = snapshot(paths[0])
            data, wall, cpu = timed(lambda: dump_snapshot(whole))
            Path(paths[1]).write_bytes(data)
            answer = f"{len(data) / 1e6:.1f} MB"
        case "load":
            from planner.parse.snapshot import load_snapshot

            data = Path(paths[0]).read_bytes()
            whole, wall, cpu = timed(lambda: load_snapshot(data, name=paths[0]))
            answer = f"{whole.nodes[0].rulesets[0].size:,} rules"
        case "rules":
            from planner.diff.rules import diff_rulesets

            before, after = (node_state(path) for path in paths)
            changes, wall, cpu = timed(lambda: list(diff_rulesets(before, after)))
            answer = f"{len(changes):,} changes"
        case "deepdiff":
            from deepdiff import DeepDiff

            texts = [Path(path).read_text().splitlines() for path in paths]
            found, wall, cpu = timed(lambda: DeepDiff(*texts))
            answer = f"{sum(len(part) for part in found.values()):,} differences"
        case _:
            raise SystemExit(f"no step {step}")
    print(json.dumps({"wall": wall, "cpu": cpu, "answer": answer}))


if __name__ == "__main__":
    main()

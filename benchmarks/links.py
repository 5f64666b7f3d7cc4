"""What nodes with many links cost: `netchange plan` and `netchange rehearse` as whole processes, for 110, 250 and 1,000 pods.

python -m benchmarks.links                              both styles of pod network, all sizes (some minutes)
python -m benchmarks.links --pods 250 --style routed    one of them; `--change rule` for one of the changes
python -m benchmarks.links --markdown                   the table for the documentation
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from benchmarks.measure import Run, machine, run_once
from benchmarks.pods import Style, pod_node
from benchmarks.table import draw
from planner.emit.snapshot import dump_snapshot
from planner.models.snapshot import Snapshot

SIZES = (110, 250, 1_000)
"""Pods: what a kubelet allows unless it is told otherwise, what large clusters tell it, and far beyond."""
STYLES: tuple[Style, ...] = get_args(Style)
PYTHON = (sys.executable, "-X", "utf8")
NETCHANGE = (*PYTHON, "-c", "from planner.cli.main import main; main()")
CHANGES = {
    "rule": "iptables -I FORWARD 1 -d 10.244.0.9/32 -p tcp -m tcp --dport 8080 -j DROP\n",
    "forwarding": "sysctl -w net.ipv4.ip_forward=0\n",
    "eight": (
        "sysctl -w net.ipv4.conf.all.rp_filter=2\n"
        "sysctl -w net.ipv4.conf.all.accept_redirects=0\n"
        "sysctl -w net.ipv4.tcp_keepalive_time=600\n"
        "ip route add 192.0.2.0/24 via 10.0.0.7 dev eth0\n"
        "ip route replace default via 10.0.0.254 dev eth0\n"
        "ip rule add from 10.244.0.9 lookup main pref 999\n"
        "iptables -I FORWARD 1 -d 10.244.0.9/32 -p tcp -m tcp --dport 8080 -j DROP\n"
        "iptables -A INPUT -s 198.51.100.0/24 -j DROP\n"
    ),
}
"""A change that meets no link, one that the kernel carries to every link, and one of several steps."""
COMMANDS = ("plan", "rehearse")
HEAD = ("change", "command", "wall s", "CPU s", "peak MiB", "answer")


def rows(folder: Path, changes: Iterable[str], *, limit: float) -> Iterator[tuple[str, ...]]:
    """A line for each change and command."""
    for name in changes:
        script = folder / f"{name}.sh"
        script.write_text(CHANGES[name])
        for command in COMMANDS:
            argv = (*NETCHANGE, command, "--format", "markdown", "--before", str(folder / "before.json"))
            run = run_once((*argv, str(script)), limit=limit)
            figures = (f"{run.wall:.1f}", f"{run.cpu:.1f}", f"{run.peak / 2**20:.0f}")
            yield name, command, *figures, _answer(run, limit)


def _answer(run: Run, limit: float) -> str:
    if run.status is None:
        return f"stopped after {limit:.0f} s"
    return "" if run.status == 0 else f"exit {run.status}: {' '.join(run.errors.split())[-80:]}"


def main() -> None:
    """Each node is built by a process of its own: what this one held would count as the peak of all that it starts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pods", type=int, action="append", help="a size; may be given several times")
    parser.add_argument("--style", choices=STYLES, action="append")
    parser.add_argument("--change", choices=CHANGES, action="append")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a run is stopped")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", type=Path, help="write the snapshot of one node to this file, and no more")
    chosen = parser.parse_args()
    sizes, styles = chosen.pods or SIZES, chosen.style or STYLES
    if chosen.write:
        state = pod_node(sizes[0], styles[0])
        chosen.write.write_bytes(dump_snapshot(Snapshot(taken_at="2026-01-01T00:00:00Z", nodes=(state,))))
        return
    print(machine())
    for style in styles:
        for pods in sizes:
            with tempfile.TemporaryDirectory() as folder:
                at = str(Path(folder) / "before.json")
                size = ("--pods", str(pods), "--style", style)
                made = run_once((*PYTHON, "-m", "benchmarks.links", *size, "--write", at), limit=chosen.limit)
                if made.status != 0:
                    raise SystemExit(made.errors)
                lines = [HEAD, *rows(Path(folder), chosen.change or CHANGES, limit=chosen.limit)]
                draw(f"{pods:,} pods, {style}", lines, markdown=chosen.markdown)


if __name__ == "__main__":
    main()

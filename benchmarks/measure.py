"""One command measured as a whole process: wall clock, CPU and peak memory, over several runs."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NETNS = ("unshare", "--net", "--mount")
"""A namespace that dies with its process: `--test` of the legacy tools loads modules and reads tables."""

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As on a machine where a program is installed: nobody compiles it again at every call."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process."""

    wall: float
    cpu: float
    """User and system time, of the children too."""
    peak: int
    """Octets resident at most, of the largest process."""
    status: int | None
    """None: stopped at the limit."""
    output: str
    errors: str = ""


def run_once(argv: Sequence[str], *, stdin: str = "", limit: float) -> Run:
    """Run it, and stop it after `limit` seconds. Output goes to files, so that no pipe slows it down."""
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as errors,
        Path(stdin or os.devnull).open() as given,
    ):
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, stdin=given, stdout=out, stderr=errors, start_new_session=True, env=ENVIRONMENT
        )
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            os.killpg(process.pid, 9)

        timer = threading.Timer(limit, stop)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        return Run(
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime,
            peak=usage.ru_maxrss * 1024,
            status=None if stopped.is_set() else process.returncode,
            output=out.read(),
            errors=errors.read(2000),
        )


def run_median(argv: Sequence[str], *, runs: int, stdin: str = "", limit: float) -> Run:
    """The medians of several runs; one that was stopped is not repeated."""
    done: list[Run] = []
    for _ in range(runs):
        done.append(run_once(argv, stdin=stdin, limit=limit))
        if done[-1].status is None:
            return done[-1]
    return Run(
        wall=statistics.median(run.wall for run in done),
        cpu=statistics.median(run.cpu for run in done),
        peak=int(statistics.median(run.peak for run in done)),
        status=done[-1].status,
        output=done[-1].output,
        errors=done[-1].errors,
    )


def machine() -> str:
    """What the figures were measured on."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in cpus if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    tool = subprocess.run(["iptables-restore", "--version"], capture_output=True, text=True, check=False)
    return (
        f"{os.cpu_count()} x {models[0] if models else os.uname().machine}, {memory:.0f} GiB, Linux {os.uname().release}, "
        f"Python {sys.version.split()[0]}, {tool.stdout.strip() or 'no iptables'}, "
        f"load {os.getloadavg()[0]:.1f} at the start"
    )

"""`make kernel-flakes N=10`: the tests in which the kernel is the judge, again and again; one failure in any run is a flake.

`python tests/kernel/flakes.py RUNS [FILES]`; ends with 1 when a test failed. Without FILES it is every file in which the
kernel is the judge.
"""

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
PROBES = re.compile(r"^(\d+) probes over (\d+) states$", re.MULTILINE)
"""As the tests print it (oracle/compare.py, Tally)."""
PASSED = re.compile(r"(\d+) passed")


def main(runs: int, files: list[str]) -> int:
    """Run them and tell. The last lines are the figure for the documentation; Ctrl-C ends it after what was run until then."""
    judged = files or [*sorted(HERE.glob("test_oracle_*.py")), HERE / "test_scenario_flows.py"]
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rfEP",
        "-n",
        "auto",
        "--dist",
        "loadfile",
        *map(str, judged),
    ]
    bad: Counter[str] = Counter()
    passed = done = probes = states = 0
    took: list[float] = []
    try:
        for run in range(1, runs + 1):
            started = time.monotonic()
            told = one_run(argv)
            took.append(time.monotonic() - started)
            failed = FAILED.findall(told.stdout)
            bad.update(failed or (["pytest itself"] if told.returncode else []))
            found = PASSED.search(told.stdout)
            passed += int(found[1]) if found else 0
            asked = [(int(one), int(other)) for one, other in PROBES.findall(told.stdout)]
            probes += sum(one for one, _ in asked)
            states += sum(other for _, other in asked)
            done = run
            last = told.stdout.strip().splitlines()[-1] if told.stdout.strip() else "nothing told"
            print(f"run {run}: {last}, {took[-1]:.0f} s", flush=True)
            if told.returncode:
                print(failures(told.stdout), file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    print(
        f"{done} of {runs} runs in a row, {passed:,} tests passed, {sum(bad.values())} failed; {probes:,} probes over {states:,} states; "
        f"Linux {platform.release()}; a run took {max(took, default=0):.0f} s at most"
    )
    for name, times in bad.most_common():
        print(f"  {name}: {times} of {done}")
    if bad:
        return 1
    return 0 if done == runs else 130


def failures(text: str) -> str:
    """What pytest says of the tests that failed, without what it says of the others."""
    _, _, after = text.partition("= FAILURES =")
    told = re.split(
        r"^=+ (?:PASSES|short test summary info) =+$", after or text[-8000:], maxsplit=1, flags=re.MULTILINE
    )[0]
    return "\n".join((told[-20_000:], *(f"FAILED {name}" for name in FAILED.findall(text))))


def one_run(argv: list[str]) -> "subprocess.CompletedProcess[str]":
    """The tests once, out of reach of the terminal's Ctrl-C, which ends them by a signal of their own."""
    process = subprocess.Popen(
        argv,
        cwd=HERE.parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()
        raise
    return subprocess.CompletedProcess(argv, process.returncode, out, "")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))

"""`make kernel-flakes N=10`: the tests in which the kernel is the judge, again and again; one failure in any run is a flake.

`python tests/kernel/flakes.py RUNS`; ends with 1 when a test failed.
"""

import platform
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
PASSED = re.compile(r"(\d+) passed")


def main(runs: int) -> int:
    """Run them and tell."""
    judged = [*sorted(HERE.glob("test_oracle_*.py")), HERE / "test_scenario_flows.py"]
    argv = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile", *map(str, judged)]
    bad: Counter[str] = Counter()
    passed = 0
    for run in range(1, runs + 1):
        started = time.monotonic()
        told = subprocess.run(argv, cwd=HERE.parents[1], capture_output=True, text=True, check=False)
        failed = FAILED.findall(told.stdout)
        bad.update(failed or (["pytest itself"] if told.returncode else []))
        found = PASSED.search(told.stdout)
        passed += int(found[1]) if found else 0
        print(
            f"run {run}: {told.stdout.strip().splitlines()[-1]}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        if told.returncode:
            print(told.stdout[-8000:], file=sys.stderr, flush=True)
    print(f"{runs} runs, {passed} tests passed, {sum(bad.values())} failed; kernel {platform.release()}")
    for name, times in bad.most_common():
        print(f"  {name}: {times} of {runs}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))

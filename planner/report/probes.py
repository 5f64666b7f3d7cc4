"""The runnable checks of a plan: a list for people, and a script that remembers what worked before."""

import shlex
import textwrap
from collections.abc import Iterator, Sequence

from planner.models.plan import Plan, Probe
from planner.report.escape import visible


def describe_probes(plans: Sequence[Plan], *, width: int = 80) -> str:
    """By node and place: the command, what it is about, and what to expect after the change."""
    lines: list[str] = []
    for plan in plans:
        lines += [visible(plan.node), ""]
        if not plan.probes:
            lines += ["  no path is known that works before the change and that a command could check", ""]
        for where in dict.fromkeys(probe.where for probe in plan.probes):
            lines.append(f"  Run {visible(where)}" if where else "  Run")
            for probe in plan.probes:
                if probe.where == where:
                    lines += _probe(probe, width)
            lines.append("")
    return "\n".join(lines)


def _probe(probe: Probe, width: int) -> Iterator[str]:
    # A command stays on one line, so that it can be copied.
    yield f"    {visible(shlex.join(probe.argv))}"
    told = f"{probe.about}; after the change {probe.expect}"
    yield from textwrap.wrap(
        visible(told),
        max(width, 40),
        initial_indent="      ",
        subsequent_indent="      ",
        break_on_hyphens=False,
    )


SCRIPT = """\
#!/bin/sh
# Checks of the plan for {node}: `sh probes.sh before` remembers what works, `sh probes.sh after` tells what does not do
# as expected. It only sends single packets and reads answers; results are kept in probes.results here.
# Exit status of `after`: 0 as expected, 6 not, 1 when `before` was not run.
set -u
results=probes.results
mode=${{1:-}}
case $mode in
before) : >"$results" || exit 1 ;;
after) [ -f "$results" ] || {{ echo "run \\`sh $0 before\\` before the change" >&2; exit 1; }} ;;
*) echo "usage: sh $0 before|after" >&2; exit 1 ;;
esac
wrong=0
check() {{ # NUMBER EXPECTED ABOUT COMMAND...
  number=$1 expected=$2 about=$3
  shift 3
  if "$@" >/dev/null 2>&1 </dev/null; then now=works; else now=fails; fi
  if [ "$mode" = before ]; then
    echo "$number $now" >>"$results"
    echo "$now: $about"
    return
  fi
  if ! grep -qx "$number works" "$results"; then
    echo "failed before the change too: $about"
  elif [ "$expected" = "not known" ]; then
    echo "$now, and what to expect is not known: $about"
  elif [ "$now" = "$expected" ]; then
    echo "$now, as expected: $about"
  else
    echo "$now, and not as expected: $about"
    wrong=6
  fi
}}
{checks}
exit "$wrong"
"""


def probe_script(plan: Plan) -> str:
    """POSIX sh: run before and after, by whoever can reach the place where each check must run."""
    checks: list[str] = []
    for number, probe in enumerate(plan.probes, start=1):
        where = f" ({probe.where})" if probe.where else ""
        words = (str(number), probe.after, visible(probe.about + where), *probe.argv)
        checks.append(f"check {shlex.join(words)}")
    return SCRIPT.format(node=visible(plan.node), checks="\n".join(checks))

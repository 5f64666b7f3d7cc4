"""The plan as the stage can run it: without what could not be rebuilt there, and with everything else as it is.

The scripts of a plan refuse a node that is not the one they were made for. A stage is that node but for what could not be rebuilt:
what a step wants to find and does not find there is left out of its checks, and a step of which nothing is left is not run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planner.emit.script import quote, words
from planner.models.plan import Check, Plan, Step
from planner.models.rehearsal import NotRehearsed
from planner.plan.facet import fold
from planner.rehearse.stage import Stage

MARK = "netchange-check-ends"
SYSCTLS = "/proc/sys/"
BATCH = 200
"""Checks that are read by one shell."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A plan for the stage."""

    plan: Plan
    not_rehearsed: tuple[NotRehearsed, ...]
    skipped: frozenset[int]
    """Numbers of the steps that the stage cannot show at all."""
    fixed: frozenset[str] = frozenset()
    """Sysctls that can only be read there."""


def fit(plan: Plan, stage: Stage) -> Fitted:
    """What of `plan` can be run on the stage, which was just rebuilt."""
    fixed = _fixed(plan, stage)
    unmet = _unmet(plan, stage) | {_reader(path) for path in fixed}
    if not unmet:
        return Fitted(plan, (), frozenset())
    steps: list[Step] = []
    left_out: list[NotRehearsed] = []
    skipped: set[int] = set()
    for step in plan.steps:
        lost = tuple(check for check in step.precondition if check.argv in unmet)
        if not lost:
            steps.append(step)
            continue
        only_read = lost[0].argv[-1] in fixed
        reason = f"the stage differs from the node here: {lost[0].about}"
        if only_read:
            reason = f"belongs to the whole machine, and can only be read on a stage: {lost[0].about}"
        fitted = _without(step, unmet)
        if step.apply and not _shows(fitted) and _shows(step):
            skipped.add(step.number)
            fitted = fitted.model_copy(
                update={"apply": (), "undo": (), "remark": f"not run on the stage: {reason}"}
            )
            left_out.append(NotRehearsed(what=f"step {step.number}: {step.title}", reason=reason))
        else:
            left_out += [
                NotRehearsed(what=f"step {step.number}, that {check.about}", reason=reason) for check in lost
            ]
        steps.append(fitted)
    return Fitted(
        plan.model_copy(update={"steps": tuple(steps)}),
        tuple(dict.fromkeys(left_out)),
        frozenset(skipped),
        frozenset(sysctl_key(path) for path in fixed),
    )


def sysctl_key(path: str) -> str:
    """The key of a file below /proc/sys, as `sysctl -a` prints it."""
    return path.removeprefix(SYSCTLS).translate(str.maketrans("./", "/."))


def _reader(path: str) -> tuple[str, ...]:
    return ("cat", path)


def _fixed(plan: Plan, stage: Stage) -> frozenset[str]:
    """Files of sysctls that steps change and that are there, and cannot be written to.

    `sysctl -w` of such a key exits 0 in a namespace (measured, procps 4.0.2).
    """
    paths = dict.fromkeys(
        check.argv[1]
        for step in plan.steps
        for check in step.expected
        if check.argv[0] == "cat" and check.argv[1].startswith(SYSCTLS) and check not in step.precondition
    )
    lines = "".join(
        f"[ ! -e {quote(path)} ] || [ -w {quote(path)} ] || printf '%s\\n' {quote(path)}\n" for path in paths
    )
    return frozenset(stage.run(("sh", "-s"), lines).stdout.splitlines()) if lines else frozenset()


def _shows(step: Step) -> bool:
    """Whether anything differs after it that is read back."""
    before = {check.argv: check for check in step.precondition}
    return any(before.get(check.argv) != check for check in step.expected)


def _without(step: Step, unmet: frozenset[tuple[str, ...]]) -> Step:
    def kept(checks: Sequence[Check]) -> tuple[Check, ...]:
        return tuple(check for check in checks if check.argv not in unmet)

    return step.model_copy(
        update={
            "precondition": kept(step.precondition),
            "expected": kept(step.expected),
            "restored": kept(step.restored),
        }
    )


def _unmet(plan: Plan, stage: Stage) -> frozenset[tuple[str, ...]]:
    """Readers whose first value in the plan is not what they print on the stage."""
    first: dict[tuple[str, ...], Check] = {}
    for step in plan.steps:
        for check in step.precondition:
            first.setdefault(check.argv, check)
    checks = tuple(first.values())
    found = list(_read(stage, checks))
    return frozenset(
        check.argv for check, value in zip(checks, found, strict=True) if value != _wanted(check)
    )


def _wanted(check: Check) -> str:
    return str(check.status) if check.output is None else fold(check.output)


def _read(stage: Stage, checks: Sequence[Check]) -> Iterator[str]:
    """What each check finds, in their order."""
    for at in range(0, len(checks), BATCH):
        part = checks[at : at + BATCH]
        script = "LC_ALL=C; export LC_ALL\n" + "".join(
            f"{words(check.argv)} </dev/null 2>/dev/null{' >/dev/null' if check.output is None else ''}\n"
            f"printf '\\n%s %s\\n' {MARK} $?\n"
            for check in part
        )
        done = stage.run(("sh", "-s"), script, timeout=600)
        values = [""]
        found: list[str] = []
        for line in done.stdout.split("\n"):
            if line.startswith(f"{MARK} "):
                check = part[len(found)]
                found.append(line.split(" ")[1] if check.output is None else fold("\n".join(values)))
                values = []
            else:
                values.append(line)
        yield from (*found, *["(not read)"] * (len(part) - len(found)))

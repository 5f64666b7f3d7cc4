"""apply.sh and rollback.sh of a plan: POSIX sh that needs nothing of ours on the node."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import groupby

from planner.emit.script import comment, function, plain, quote, with_stdin, words
from planner.models.plan import Action, Check, Plan, Step, UndoKind
from planner.models.proposal import FileWrite
from planner.plan.checks_routes import COUNTED
from planner.plan.masked import SAVED
from planner.plan.script_native import needs_native, stilled
from planner.plan.script_parts import guard, part_function

FOREIGN_TOOLS = ("sh", "cat", "rm", "ln", "install", "stat")
"""Programs that every node has, or that the scripts do themselves."""

AT_ONCE = 2000
"""Things that one program reads: an argument list has an end (execve(2))."""
PRINTER = re.compile(
    r"(ip6?tables(?:-nft|-legacy)?-save(?: -t [a-z]+)?|nft list table [a-z0-9]+ [A-Za-z0-9/_.-]+) \| "
)
"""How a check of chains begins (see `checks_rules` and `checks_nft`)."""


def plan_id(plan: Plan) -> str:
    """The name of the plan's state directory: the node's, and a digest of all that the plan says."""
    name = re.sub(r"[^A-Za-z0-9.-]", "-", plan.node).strip(".-")[:40] or "node"
    return f"{name}-{hashlib.sha256(plan.model_dump_json().encode()).hexdigest()[:12]}"


def emit_apply(plan: Plan) -> str:
    """The script that applies the plan. It carries rollback.sh, which it writes to the state directory first."""
    rollback = emit_rollback(plan)
    return "".join(
        [
            _head(plan, "apply.sh", f"applies a change to {plan.node}; see `apply.sh --help`"),
            *(_step_for_apply(step) for step in plan.steps),
            function("save_files", _saved(plan)),
            function("emit_rollback", with_stdin("cat", rollback)),
            _library("common.sh"),
            _library("apply.sh"),
        ]
    )


def emit_rollback(plan: Plan) -> str:
    """The script that takes back what apply.sh has applied, also after it was killed, and also twice."""
    return "".join(
        [
            _head(plan, "rollback.sh", f"takes back a change to {plan.node}; see `rollback.sh --help`"),
            *(_step_for_rollback(step) for step in plan.steps),
            _library("common.sh"),
            _library("parts.sh"),
            *((stilled(), _library("parts_nft.sh")) if needs_native(plan) else ()),
            _library("rollback.sh"),
        ]
    )


def _library(name: str) -> str:
    return "\n" + files("planner.plan").joinpath(name).read_text(encoding="utf-8")


def _head(plan: Plan, name: str, about: str) -> str:
    gaps = "\n".join(
        f"  not understood, and not part of the steps: {plain(str(gap))}" for gap in plan.not_planned
    )
    return "".join(
        [
            "#!/bin/sh\n",
            comment(f"{name}: {about}") + "\n",
            comment("Steps:") + "\n",
            *(comment(f"{step.number:4}  {step.title}  ({step.source})") + "\n" for step in plan.steps),
            "set -u\n\n",
            f"NC_NAME={quote(name)}\n",
            f"NC_PLAN={quote(plan_id(plan))}\n",
            f"NC_NODE={quote(plain(plan.node))}\n",
            f"NC_LAST={len(plan.steps)}\n",
            f"NC_TOOLS={quote(' '.join(_tools(plan)))}\n",
            f"NC_NOT_PLANNED={quote(gaps)}\n\n",
        ]
    )


def _tools(plan: Plan) -> tuple[str, ...]:
    """Programs that the steps, their checks and their undo call by name."""
    found: set[str] = set()
    for step in plan.steps:
        found |= {action.argv[0] for action in (*step.apply, *step.undo)}
        for check in (*step.precondition, *step.expected, *step.restored):
            found.add(check.argv[0])
            if check.argv[:2] == ("sh", "-c"):
                # The first word of a pipeline made by `checks`: the program that prints.
                found |= set(
                    re.findall(r"^(?:\{ )?(basename|ip6?tables[a-z-]*|ipset|ip|nft)\b", check.argv[2])
                )
    return tuple(
        sorted(tool for tool in found if tool not in FOREIGN_TOOLS and re.fullmatch(r"[\w./+-]+", tool))
    )


def _saved(plan: Plan) -> str:
    paths = dict.fromkeys(step.operation.path for step in plan.steps if isinstance(step.operation, FileWrite))
    return "".join(f"  save_file {number} {quote(path)}\n" for number, path in enumerate(paths, 1))


def _step_for_apply(step: Step) -> str:
    return _variables(
        step,
        {
            "source": str(step.source),
            "stop": step.stop_reason,
            "commands": "\n".join(shown(action) for action in step.apply),
        },
    ) + function(
        f"step_{step.number}_apply",
        "".join(_command(action, rest="|| return 2") for action in step.apply),
    )


def _step_for_rollback(step: Step) -> str:
    residue = "\n".join(plain(f"{item.what}: {item.reason}") for item in step.residue)
    back = "\n".join(shown(action) for action in step.undo)
    numbers = _numbers(step)
    return (
        _variables(step, {"back": back}, residue=residue)
        + part_function(step, numbers)
        + function(
            f"step_{step.number}_undo",
            "".join(_command(action, guard=guard(step, action, numbers)) for action in step.undo),
        )
    )


def _variables(step: Step, more: dict[str, str], *, residue: str = "") -> str:
    number = step.number
    lines = {"title": step.title, "flag": _flag(step), "remark": step.remark, **more}
    text = "".join(
        f"step_{number}_{name}={quote(chr(10).join(plain(line) for line in value.split(chr(10))))}\n"
        for name, value in lines.items()
    )
    return (
        f"\n{comment(f'step {number}: {step.title}')}\n{text}step_{number}_residue={quote(residue)}\n"
        + function(f"step_{number}_things", "".join(_things(step)))
    )


def _flag(step: Step) -> str:
    if step.undo_kind is UndoKind.NONE:
        return "unknown"
    if not step.apply:
        return "skip"
    return "blind" if _blind(step) else ""


def _blind(step: Step) -> bool:
    """Whether what is read may not show that the step was run: things are counted, and as many as before, or nothing read differs."""
    before = {check.argv: check.output for check in step.precondition}
    same = [check for check in step.expected if before.get(check.argv) == check.output]
    counted = any(check.about.startswith(COUNTED) for check in same)
    return bool(step.undo) and (counted or len(same) == len(step.expected) > 0)


def _readers(step: Step) -> tuple[tuple[str, ...], ...]:
    """The commands that read the step's things, in the order of these."""
    checks = (*step.precondition, *step.expected, *step.restored)
    return tuple(dict.fromkeys(map(_reader, checks)))


def _numbers(step: Step) -> dict[str, int]:
    """The number of each thing by its name."""
    places = {argv: number for number, argv in enumerate(_readers(step), 1)}
    checks = (*step.precondition, *step.expected, *step.restored)
    return {check.name: places[_reader(check)] for check in checks if check.name}


def _things(step: Step) -> list[str]:
    """One line for each thing that is read: how it must be before, how after, and the command that reads it."""
    before = {_reader(check): check for check in (*step.restored, *step.precondition)}
    after = {_reader(check): check for check in step.expected}
    lines: list[str] = []
    readers = _readers(step)
    for argv in readers:
        first, last = before.get(argv), after.get(argv)
        known = first or last
        about = [check.about if check else (known.about if known else "") for check in (first, last)]
        values = [_value(check) for check in (first, last)]
        lines.append(f'  "$1" {words([plain(text) for text in about])} {words(values)} {words(argv)}\n')
    return list(_read_ahead(lines, readers))


def _read_ahead(lines: Sequence[str], readers: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Things that one program can read for all of them: many sysctls, chains of one table.

    Three processes for each of many sysctls, or a whole table printed for each of its chains, would take longer than the change.
    """
    pairs = zip(lines, readers, strict=True)
    for (kind, source), group in groupby(pairs, key=lambda pair: _source(pair[1])):
        things = list(group)
        for at in range(0, len(things), AT_ONCE):
            part = things[at : at + AT_ONCE]
            alone = len(part) == 1 or not kind
            what = words([argv[1] for _, argv in part]) if kind == "ahead" else quote(source)
            yield from (() if alone else (f'  {kind} "$1" {what}\n',))
            yield from (line for line, _ in part)
            yield from (() if alone else (f"  nc_{kind.removesuffix('_ahead')}=\n",))


def _source(argv: tuple[str, ...]) -> tuple[str, str]:
    """The function of common.sh that reads it together with others, and the command that prints it with others."""
    if argv[0] == "cat" and argv[1].startswith("/proc/sys/"):
        return "ahead", ""
    printer = PRINTER.match(argv[2]) if argv[:2] == ("sh", "-c") else None
    return ("printed_ahead", printer[1]) if printer else ("", "")


def _reader(check: Check) -> tuple[str, ...]:
    return check.argv if check.output is not None else ("status_value", *check.argv)


def _value(check: Check | None) -> str:
    if check is None:
        return "?"
    return (
        f"={check.status}" if check.output is None else "=" + " ".join(re.findall(r"[^ \t\n]+", check.output))
    )


def _command(action: Action, *, guard: str = "", rest: str = "") -> str:
    argv = action.argv
    if argv[0] == "install" and argv[-2:-1] == ("/dev/stdin",):
        mode = argv[argv.index("-m") + 1] if "-m" in argv else ""
        command = words(["put_file", mode, argv[-1]])
    elif argv[0] == "install" and argv[-2:-1] == (SAVED,):
        command = words(["put_saved", argv[-1]])
    else:
        command = words(["run", *argv])
    return with_stdin(f"{guard} {command}" if guard else command, action.stdin, rest=rest)


def shown(action: Action) -> str:
    """An action for people: its command line, and how much it is given to read."""
    text = plain(words(action.argv))
    lines = action.stdin.count("\n")
    return f"{text}  (with {lines} lines of input)" if action.stdin else text

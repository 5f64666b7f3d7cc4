"""The parts of a step's things as the rollback reads them: one shell function for each step."""

from collections.abc import Iterable, Iterator, Mapping

from planner.emit.script import function, plain, quote, with_stdin, words
from planner.models.plan import Action, ChainBack, Part, SetBack, Step
from planner.plan.checks_rules import sed_literal, set_name
from planner.plan.native import undone_tables
from planner.plan.script_hunks import hunk_lines
from planner.plan.script_native import native_cases
from planner.plan.touching import touched


def part_function(step: Step, numbers: Mapping[str, int]) -> str:
    """`step_N_part THING`: tells the part of that thing which is the step's own; fails where none is known."""
    cases: dict[int, list[str]] = {}
    for part in step.parts:
        if part.thing in numbers:
            cases.setdefault(numbers[part.thing], []).append(_value(part))
    for chains in _together(step.chains):
        if chains[0].thing in numbers:
            text = "\n".join(line for line in _table(chains))
            cases.setdefault(numbers[chains[0].thing], []).append(with_stdin("chains", f"{text}\n"))
    for ipset in step.sets:
        if ipset.thing in numbers:
            text = "\n".join(_set(ipset))
            cases.setdefault(numbers[ipset.thing], []).append(with_stdin("elements", f"{text}\n"))
    for number, text in native_cases(step, numbers):
        cases.setdefault(number, []).append(text)
    body = "".join(f"{number})\n{''.join(lines)};;\n" for number, lines in sorted(cases.items()))
    return function(f"step_{step.number}_part", f"case $1 in\n{body}*) return 1 ;;\nesac\n")


def guard(step: Step, action: Action, numbers: Mapping[str, int]) -> str:
    """What stands before an action of an undo, so that it leaves alone what is left to somebody else; empty where nothing is."""
    word, names = _wrapper(step, action)
    things = sorted({numbers[name] for name in names if name in numbers})
    return f"{word} {quote(' '.join(map(str, things)))}" if things else ""


def _wrapper(step: Step, action: Action) -> tuple[str, Iterable[str]]:
    if action.argv[1:] == ("-w", "10", "--noflush") and action.argv[0].endswith("-restore"):
        table = action.stdin.partition("\n")[0].removeprefix("*")
        tool = action.argv[0].removesuffix("-restore") + "-save"
        return "back_table", (back.thing for back in step.chains if (back.tool, back.table) == (tool, table))
    if action.argv == ("ipset", "-exist", "restore"):
        lines = [line.split(" ") for line in action.stdin.splitlines()]
        return "back_sets", {set_name(line[2 if line[0] == "swap" else 1]) for line in lines}
    if action.argv == ("nft", "-f", "-"):
        tables = undone_tables(action.stdin)
        names = (
            check.name for check in (*step.precondition, *step.restored) if check.name.startswith("nft ")
        )
        return "back_native" if step.natives else "mine", (
            name for name in names if name.partition("table ")[2] in tables
        )
    return "mine", touched(action.argv)


def _together(chains: tuple[ChainBack, ...]) -> Iterator[tuple[ChainBack, ...]]:
    for thing in dict.fromkeys(chain.thing for chain in chains):
        yield tuple(chain for chain in chains if chain.thing == thing)


def _value(part: Part) -> str:
    return words(["part", f"={part.before}", f"={part.after}", *part.argv]) + "\n"


def _table(chains: tuple[ChainBack, ...]) -> Iterator[str]:
    yield f"table {chains[0].tool} {chains[0].table}"
    for back in chains:
        yield f"chain {back.chain}"
        yield f"cut {sed_literal(back.chain)}"
        kind = "base" if back.base else "made" if back.made else "deleted" if back.deleted else "both"
        yield f"kind {kind}"
        yield from ([f"policy {back.policy}"] if back.policy else [])
        yield from ([f"owner {plain(back.owner)}", f"digest {back.digest}"] if back.owner else [])
        for hunk in back.hunks:
            yield from hunk_lines(hunk)
        yield "end"


def _set(back: SetBack) -> Iterator[str]:
    yield f"set {back.name}"
    yield f"create {back.create}"
    yield "kind " + ("made" if back.made else "deleted" if back.deleted else "both")
    yield from (f"- {element}" for element in back.added)
    yield from (f"+ {element}" for element in back.removed)

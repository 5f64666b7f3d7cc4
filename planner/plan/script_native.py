"""The way back of nft tables as the rollback reads it: a description of each thing that a step has changed."""

from collections.abc import Iterator, Mapping, Sequence

from planner.emit.script import function, plain, quote, with_stdin
from planner.models.plan import NativeBack, Plan, Step
from planner.plan.checks_nft import STILL
from planner.plan.checks_rules import sed_literal
from planner.plan.native_parts import TABLE
from planner.plan.script_hunks import hunk_lines


def needs_native(plan: Plan) -> bool:
    """Whether the rollback has to read nft tables rule by rule."""
    return any(step.natives for step in plan.steps)


def stilled() -> str:
    """The shell function that takes counts and times out of a listing, and leaves its blanks."""
    program = "\n".join(line for line in STILL.split("\n") if not line.startswith("s/^[ "))
    return function("stilled", f"sed {quote(program)}\n")


def native_cases(step: Step, numbers: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """For each number of a thing, the shell text that tells the step's part of it."""
    for things in dict.fromkeys(back.things for back in step.natives):
        told = [back for back in step.natives if back.things == things]
        known = sorted({numbers[thing] for thing in things if thing in numbers})
        for number in known[:1]:
            yield number, with_stdin("native", "".join(f"{line}\n" for line in _told(told)))
        yield from ((number, f"step_{step.number}_part {known[0]}\n") for number in known[1:])


def _told(natives: Sequence[NativeBack]) -> Iterator[str]:
    yield from (["once"] if len(natives[0].things) > 1 else [])
    yield f"table {natives[0].table}"
    for back in natives:
        title = back.kind if back.kind == TABLE else f"{back.kind} {back.name}"
        yield f"object {title}"
        yield f"cut {sed_literal(title)}"
        kinds = {"made": back.made, "deleted": back.deleted, "again": back.again}
        yield f"kind {next((kind for kind, holds in kinds.items() if holds), 'both')}"
        yield from (f"b {line}" for line in back.before)
        yield from (f"a {line}" for line in back.after)
        yield from ([f"policy {back.policy}"] if back.policy else [])
        yield from ([f"owner {plain(back.owner)}", f"digest {back.digest}"] if back.owner else [])
        yield from (["moving"] if back.moving else [])
        yield "begin"
        for hunk in back.hunks:
            yield from hunk_lines(hunk)
        yield from (f"- {element}" for element in back.added)
        yield from (f"+ {element}" for element in back.removed)
        yield "end"

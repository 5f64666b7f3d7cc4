"""bpf: a classic BPF program, or a pinned one."""

from planner.netfilter.extension import Kind, Match, Option
from planner.netfilter.kinds import bare
from planner.netfilter.problem import RuleError
from planner.netfilter.words import in_quotes


def read(words: tuple[str, ...], _family: str) -> str:
    """`count,instruction,…` with one blank between the numbers and none after a comma."""
    count, *instructions = (" ".join(part.split()) for part in words[0].rstrip().rstrip(",").split(","))
    if not count.isdecimal() or int(count) != len(instructions) or not 0 < len(instructions) <= 64:
        raise RuleError("the number of instructions is not what the program says first, or more than 64")
    for instruction in instructions:
        numbers = instruction.split(" ")
        if len(numbers) != 4 or not all(number.isdecimal() for number in numbers):
            raise RuleError(f"`{instruction}` is not an instruction of four numbers")
    return ",".join((count, *instructions))


EXTENSION = Match(
    name="bpf",
    options=(
        Option("bytecode", Kind(read=read, show=lambda value, _family: in_quotes(value))),
        Option("object-pinned", bare()),
    ),
    any_of=("bytecode", "object-pinned"),
    exclusive=(("bytecode", "object-pinned"),),
    stateful=True,
)

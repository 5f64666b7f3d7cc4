"""Many commands of iproute2 in few processes, each refusal with the command that it is about."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from planner.parse.ip_names import PROTOCOLS, SCOPES
from planner.rehearse.namespaces import Namespaces

Words = tuple[str, ...]
FAMILIES = frozenset({"-4", "-6"})
SAFE = re.compile(r"[\w.:/,@%+=\[\]~!*-]+", re.ASCII)
"""Words that mean the same in a batch: there, `#` starts a comment even within quotes (iproute2 lib/utils.c, getcmdline)."""
FAILED = re.compile(r"^Command failed -:(\d+)$")
DEADLINE = 300.0
_PROTOCOLS = {name: str(number) for number, name in PROTOCOLS.items()}
NUMBERS = {
    "proto": _PROTOCOLS,
    "protocol": _PROTOCOLS,
    "scope": {name: str(number) for number, name in SCOPES.items()},
    "group": {"default": "0"},
}
"""Names that stand for numbers. In one batch a name after a number would be read as that number: the name that was looked
up last is remembered, and its number is overwritten by the next that is not a name (iproute2 lib/rt_names.c,
rtnl_rtprot_a2n; measured with 6.1: `proto boot`, `proto 80`, `proto boot` makes 3, 80, 80)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that did not do what it was run for."""

    command: str
    reason: str


def run_all(namespaces: Namespaces, commands: Iterable[Words]) -> tuple[Refusal, ...]:
    """Run them in order; one that fails does not keep the next from being run."""
    return tuple(_refusals(namespaces, commands))


def _refusals(namespaces: Namespaces, commands: Iterable[Words]) -> Iterator[Refusal]:
    for prefix, group in groupby(commands, key=_prefix):
        if prefix is None:
            for argv in group:
                yield from _alone(namespaces, argv)
        else:
            yield from _batch(namespaces, prefix, list(group))


def _prefix(argv: Words) -> Words | None:
    """What is the same for all lines of a batch; None for what has to go alone."""
    if argv[0] not in {"ip", "bridge"} or not all(SAFE.fullmatch(word) for word in argv):
        return None
    return argv[:2] if argv[1] in FAMILIES else argv[:1]


def _alone(namespaces: Namespaces, argv: Words) -> Iterator[Refusal]:
    done = namespaces.run(argv, b"", {}, DEADLINE)
    if done.status:
        yield Refusal(" ".join(argv), _reason(done.stderr.splitlines()))


def _batch(namespaces: Namespaces, prefix: Words, commands: Sequence[Words]) -> Iterator[Refusal]:
    lines = [" ".join(_in_numbers(argv[len(prefix) :])) for argv in commands]
    argv = (*prefix, "-force", "-batch", "-")
    done = namespaces.run(argv, "\n".join([*lines, ""]).encode(), {}, DEADLINE)
    said: list[str] = []
    for line in done.stderr.splitlines():
        failed = FAILED.match(line)
        if failed is None:
            said.append(line)
            continue
        yield Refusal(" ".join(commands[int(failed[1]) - 1]), _reason(said))
        said = []
    if done.status is None or (done.status and said):
        yield Refusal(
            f"{' '.join(prefix)} with {len(lines)} commands", _reason(said) or "did not end in time"
        )


def _in_numbers(argv: Words) -> Iterator[str]:
    for before, word in zip(("", *argv), argv, strict=False):
        yield NUMBERS.get(before, {}).get(word, word)


def _reason(lines: Sequence[str]) -> str:
    told = [re.sub(r"^(?:RTNETLINK answers|Error): ", "", line) for line in lines if line.strip()]
    return "; ".join(told).rstrip(".")

"""Files of `ip -batch`: one command a line, without the word `ip`."""

import re

from planner.models.proposal import Command
from planner.models.source import Source

# As iproute2 splits a line (lib/utils.c, makeargs): blanks separate, either quote groups, nothing escapes.
WORD = re.compile(r"\"([^\"]*)\"?|'([^']*)'?|([^\s'\"]+)")


def read_ip_batch(text: str, *, name: str, family: str = "") -> tuple[Command, ...]:
    """Commands with file and line. `family` is that of `ip -4 -batch` or `ip -6 -batch`; the lines cannot choose one."""
    option = {"ip": ("-4",), "ip6": ("-6",)}.get(family, ())
    commands: list[Command] = []
    for number, line in _logical_lines(text):
        words = tuple(
            next(part for part in match.groups() if part is not None) for match in WORD.finditer(line)
        )
        if words:
            # A line cannot hold options: `ip` takes its first word for an object, whatever it is.
            guard = ("--",) if words[0].startswith("-") else ()
            commands.append(
                Command(argv=("ip", *option, *guard, *words), source=Source(name=name, line=number))
            )
    return tuple(commands)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with their number; a backslash at the end goes on, `#` ends (iproute2, lib/utils.c, getcmdline)."""
    found: list[tuple[int, str]] = []
    held, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0]
        start = start or number
        if raw.endswith("\\") and "#" not in raw:
            held += line[:-1]
            continue
        found.append((start, held + line))
        held, start = "", 0
    if held:
        found.append((start, held))
    return found

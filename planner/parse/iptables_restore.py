"""Files for iptables-restore, written by hand: tables, chains and commands with their line numbers."""

import re
from collections.abc import Container
from dataclasses import dataclass

from planner.errors import NetchangeError
from planner.models.ruleset import Family
from planner.models.source import Gap, Source
from planner.netfilter.command import Append, Command, Show, check_chain, parse_command
from planner.netfilter.problem import RuleError
from planner.netfilter.words import split_raw

COUNTERS = re.compile(r"\[\d+:\d+\]\s*")
DECLARATION = re.compile(r":\s*(\S+)\s+(\S+)(?:\s+\[\d+:\d+\])?\s*")
TABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})
MOST_LINE = 10240
"""A line that is longer is cut by iptables-restore (iptables-restore.c, `buffer`)."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """`:chain policy`: the chain exists and is empty afterwards (with --noflush too)."""

    chain: str
    policy: str
    """Empty for user chains."""
    line: int


@dataclass(frozen=True, slots=True)
class FileCommand:
    """A command, and where it stands."""

    command: Command
    line: int


@dataclass(frozen=True, slots=True)
class RestoreTable:
    """`*table` to `COMMIT`."""

    name: str
    line: int
    steps: tuple[Declaration | FileCommand, ...]


@dataclass(frozen=True, slots=True)
class RestoreFile:
    """One file. A table that occurs twice is replaced twice."""

    name: str
    tables: tuple[RestoreTable, ...]
    """Those before the mistake when there is one: iptables-restore commits table by table."""
    gaps: tuple[Gap, ...] = ()
    mistake: NetchangeError | None = None
    """What iptables-restore would stop at."""


def parse_restore_file(text: str, *, family: Family, name: str) -> RestoreFile:
    """Read a file that a user proposes. Raises `NetchangeError` with file and line for what iptables would refuse."""
    file = read_restore_file(text, family=family, name=name)
    if file.mistake is not None:
        raise file.mistake
    return file


def read_restore_file(
    text: str, *, family: Family, name: str, known: Container[str] | None = None
) -> RestoreFile:
    """The tables up to the first mistake. Rules in `known` are canonical already: the node printed them."""
    tables: list[RestoreTable] = []
    gaps: list[Gap] = []
    try:
        _read(text, family, name, known, tables, gaps)
    except NetchangeError as error:
        return RestoreFile(name, tuple(tables), tuple(gaps), error)
    return RestoreFile(name, tuple(tables), tuple(gaps))


def _read(
    text: str,
    family: Family,
    name: str,
    known: Container[str] | None,
    tables: list[RestoreTable],
    gaps: list[Gap],
) -> None:
    if "\0" in text:
        raise mistake(name, 0, "the file holds NUL bytes: it is not text")
    table, opened = "", 0
    steps: list[Declaration | FileCommand] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.endswith("\r"):
            raise mistake(
                name, number, "the line ends with CR LF, which iptables-restore takes for part of a word"
            )
        if not line.strip() or line.startswith("#"):
            continue
        if len(line.encode(errors="surrogateescape")) >= MOST_LINE:
            raise mistake(
                name,
                number,
                f"the line is longer than the {MOST_LINE} characters that iptables-restore reads",
            )
        if line.startswith("*"):
            if table:
                raise mistake(
                    name, number, f"table `{table}` of line {opened} has no COMMIT before the next one"
                )
            table, opened, steps = line[1:].split()[0] if line[1:].split() else "", number, []
            if table not in TABLES:
                raise mistake(name, number, f"there is no table `{table}`")
        elif not table:
            raise mistake(
                name, number, "the line stands outside a table; `*filter` or another must come first"
            )
        elif line.split() == ["COMMIT"]:
            tables.append(RestoreTable(table, opened, tuple(steps)))
            table = ""
        elif line.startswith(":"):
            steps.append(declaration(line, number, name))
        else:
            append = _known(line, number, known) if known is not None else None
            steps.extend([append] if append else commands(line, number, family, name, gaps))
    if table:
        raise mistake(name, opened, f"table `{table}` has no COMMIT: nothing of it would be applied")


def _known(line: str, number: int, known: Container[str]) -> FileCommand | None:
    """A line that the node itself printed needs no reading."""
    if not line.startswith("-A "):
        return None
    chain, _, rule = line[3:].partition(" ")
    return FileCommand(Append(chain, rule), number) if rule in known else None


def mistake(name: str, line: int, what: str) -> NetchangeError:
    """An error with its place."""
    return NetchangeError(
        reference="restore-file-invalid", message=f"{Source(name=name, line=line)}: {what}",
        hint="iptables-restore would refuse the file; mend the line",
    )  # fmt: skip


def declaration(line: str, number: int, name: str) -> Declaration:
    """`:chain policy [counters]`."""
    found = DECLARATION.fullmatch(line)
    if not found:
        raise mistake(name, number, "not the declaration of a chain, such as `:INPUT ACCEPT [0:0]`")
    chain, policy = found[1], found[2]
    if policy not in {"ACCEPT", "DROP", "-"}:
        raise mistake(name, number, f"`{policy}` is not a chain policy; ACCEPT, DROP and `-` are")
    try:
        check_chain(chain)
    except RuleError as error:
        raise mistake(name, number, str(error)) from error
    return Declaration(chain, "" if policy == "-" else policy, number)


def commands(line: str, number: int, family: Family, name: str, gaps: list[Gap]) -> list[FileCommand]:
    """The commands of one line."""
    text = COUNTERS.sub("", line, count=1) if line.startswith("[") else line
    try:
        words, raws = split_raw(text)
        # A line for the other family is passed over by iptables-restore.
        other = {"ip": {"-6", "--ipv6"}, "ip6": {"-4", "--ipv4"}}[family]
        if other.intersection(words):
            return []
        parsed = parse_command(words, family, raws=raws)
    except RuleError as error:
        raise mistake(name, number, str(error)) from error
    if any(word == "-t" or word.startswith("--table") for word in words):
        raise mistake(
            name, number, "`-t` is refused inside a restore file; the table is the one that `*` names"
        )
    if parsed.unread:
        gaps.append(Gap(section="proposal", reason=parsed.unread, source=Source(name=name, line=number)))
    return [FileCommand(command, number) for command in parsed.commands if not isinstance(command, Show)]

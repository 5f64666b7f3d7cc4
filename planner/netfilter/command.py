"""One command of iptables, as its command line or a line of iptables-restore gives it."""

from dataclasses import dataclass

from planner.netfilter.problem import NodeDependentError, RuleError
from planner.netfilter.reader import CHAIN_NAME_MOST
from planner.netfilter.rule import emit_rule, parse_words
from planner.netfilter.words import join_words


@dataclass(frozen=True, slots=True)
class Append:
    """`-A chain rule`."""

    chain: str
    rule: str
    """Canonical; as written when only the node can read it."""


@dataclass(frozen=True, slots=True)
class Insert:
    """`-I chain [position] rule`."""

    chain: str
    position: int
    """1-based."""
    rule: str


@dataclass(frozen=True, slots=True)
class Delete:
    """`-D chain rule`: the first that is the same."""

    chain: str
    rule: str


@dataclass(frozen=True, slots=True)
class DeleteAt:
    """`-D chain position`."""

    chain: str
    position: int


@dataclass(frozen=True, slots=True)
class Replace:
    """`-R chain position rule`."""

    chain: str
    position: int
    rule: str


@dataclass(frozen=True, slots=True)
class Check:
    """`-C chain rule`: changes nothing."""

    chain: str
    rule: str


@dataclass(frozen=True, slots=True)
class NewChain:
    """`-N chain`."""

    chain: str


@dataclass(frozen=True, slots=True)
class DeleteChain:
    """`-X [chain]`; empty: every user chain that is empty and not referred to."""

    chain: str


@dataclass(frozen=True, slots=True)
class RenameChain:
    """`-E old new`."""

    chain: str
    name: str


@dataclass(frozen=True, slots=True)
class Flush:
    """`-F [chain]`; empty: every chain of the table."""

    chain: str


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """`-P chain policy`."""

    chain: str
    policy: str


@dataclass(frozen=True, slots=True)
class Zero:
    """`-Z [chain]`: counters only."""

    chain: str


@dataclass(frozen=True, slots=True)
class Show:
    """`-L`, `-S`: changes nothing."""

    chain: str


Command = (
    Append
    | Insert
    | Delete
    | DeleteAt
    | Replace
    | Check
    | NewChain
    | DeleteChain
    | RenameChain
    | Flush
    | SetPolicy
    | Zero
    | Show
)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What one command line asks for."""

    table: str
    commands: tuple[Command, ...]
    """Several where addresses are separated by commas, in the order in which iptables carries them out."""
    unread: str = ""
    """Why a rule was kept as written: what only the node knows."""


LONG = {
    "append": "A", "insert": "I", "delete": "D", "replace": "R", "check": "C", "new-chain": "N", "delete-chain": "X",
    "rename-chain": "E", "flush": "F", "policy": "P", "zero": "Z", "list": "L", "list-rules": "S",
}  # fmt: skip
SINGLE = {
    "wait": True,
    "wait-interval": True,
    "verbose": False,
    "numeric": False,
    "exact": False,
    "line-numbers": False,
}
"""Options about the running of the command; True where a number may follow."""
SHORT = {"w": "wait", "W": "wait-interval", "v": "verbose", "n": "numeric", "x": "exact"}


def parse_command(words: tuple[str, ...], family: str, *, raws: tuple[str, ...] | None = None) -> CommandLine:
    """The words behind `iptables`, or those of a restore line. Raises `RuleError`."""
    written = words if raws is None else raws
    table, letter = "filter", ""
    arguments: list[str] = []
    rest: list[int] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word in {"-t", "--table"}:
            if at >= len(words):
                raise RuleError("`-t` needs the name of a table")
            table = words[at]
            at += 1
            continue
        if word.startswith("--table="):
            table = word[len("--table=") :]
            continue
        skip = running(word, words[at : at + 1])
        if skip is not None:
            at += skip
            continue
        found, glued = command_of(word)
        if not found:
            rest.append(at - 1)
            if takes_value(word) and at < len(words):
                rest.append(at)
                at += 1
            continue
        if letter:
            raise RuleError(f"`{word}`: a command line has only one command")
        letter = found
        arguments = [glued] if glued else []
        most = {"I": 2, "D": 2, "R": 2, "E": 2, "P": 2, "Z": 2, "L": 2, "S": 2}.get(letter, 1)
        while len(arguments) < most and at < len(words) and words[at][:1] not in {"-", "!"}:
            arguments.append(words[at])
            at += 1
    if not letter:
        raise RuleError("no command is given (-A, -I, -D …)")
    body = tuple(words[place] for place in rest)
    commands, unread = build(letter, arguments, body, family, raws=tuple(written[place] for place in rest))
    return CommandLine(table, commands, unread)


def takes_value(word: str) -> bool:
    """Options of a rule whose value might look like a command."""
    return word in {
        "--comment",
        "--log-prefix",
        "--nflog-prefix",
        "--string",
        "-j",
        "-m",
        "-g",
        "--jump",
        "--match",
        "--goto",
    }


def running(word: str, follows: tuple[str, ...]) -> int | None:
    """How many more words belong to an option about the running; None when it is none."""
    name = (
        word[2:].partition("=")[0]
        if word.startswith("--")
        else SHORT.get(word[1:], "")
        if word[:1] == "-"
        else ""
    )
    if word[:1] == "-" and word[1:2] == "w" and word[2:].isdecimal():
        return 0
    if name not in SINGLE:
        return None
    return int(
        SINGLE[name] and "=" not in word and bool(follows) and follows[0].replace(".", "", 1).isdecimal()
    )


def command_of(word: str) -> tuple[str, str]:
    """The letter of a command, and what is glued to it; empty when it is none."""
    if word.startswith("--"):
        name, _, glued = word[2:].partition("=")
        if name in LONG:
            return LONG[name], glued
        return "", ""
    if len(word) > 1 and word[0] == "-" and word[1] in LONG.values():
        return word[1], word[2:]
    return "", ""


def check_chain(chain: str) -> str:
    """A name that iptables takes."""
    if len(chain) > CHAIN_NAME_MOST:
        raise RuleError(f"the name of chain `{chain}` is longer than {CHAIN_NAME_MOST} characters")
    if chain[:1] in "-!" or any(character.isspace() for character in chain) or "\0" in chain:
        raise RuleError(f"`{chain}` is not the name of a chain")
    return chain


def position(word: str) -> int:
    """1-based."""
    if not (word.isascii() and word.isdecimal()) or len(word) > 9 or int(word) == 0:
        raise RuleError(f"`{word}` is not the number of a rule")
    return int(word)


def build(
    letter: str, arguments: list[str], body: tuple[str, ...], family: str, *, raws: tuple[str, ...]
) -> tuple[tuple[Command, ...], str]:
    """The commands, and why a rule was kept as written."""
    chain = check_chain(arguments[0]) if arguments else ""
    rest = arguments[1:]
    if letter in "AIDRCNEP" and not chain:
        raise RuleError(f"`-{letter}` needs the name of a chain")
    if letter in "NXEFPZLS":
        if body:
            raise RuleError(f"`{body[0]}` is not expected behind `-{letter}`")
        return (plain(letter, chain, rest),), ""
    if letter == "A" and rest:
        raise RuleError(f"`{rest[0]}` is not expected here")
    if letter == "D" and rest and not body:
        return (DeleteAt(chain, position(rest[0])),), ""
    if (letter == "R" and not rest) or (letter in "DC" and rest):
        raise RuleError(f"`-{letter} {chain}`: the number of a rule is missing or not expected")
    try:
        rules = tuple(emit_rule(rule) for rule in parse_words(body, family, raws=raws))
        unread = ""
    except NodeDependentError as error:
        rules, unread = (join_words(body),), str(error)
    if letter == "R" and len(rules) > 1:
        raise RuleError("a rule cannot be replaced by several")
    place = position(rest[0]) if rest else 1
    commands: list[Command] = []
    for rule in rules:
        match letter:
            case "A":
                commands.append(Append(chain, rule))
            case "I":
                # Each is put at the same place, so that the last address comes first
                # (iptables.c, insert_entry: one call for each pair of addresses).
                commands.append(Insert(chain, place, rule))
            case "D":
                commands.append(Delete(chain, rule))
            case "R":
                commands.append(Replace(chain, place, rule))
            case _:
                commands.append(Check(chain, rule))
    return tuple(commands), unread


def plain(letter: str, chain: str, rest: list[str]) -> Command:
    """Commands without a rule."""
    wanted = {"E": 1, "P": 1}.get(letter, 0)
    if letter not in "ZLS" and len(rest) != wanted:
        raise RuleError(f"`-{letter}` takes {wanted + 1} name{'s' if wanted else ''}")
    match letter:
        case "N":
            return NewChain(chain)
        case "X":
            return DeleteChain(chain)
        case "E":
            return RenameChain(chain, check_chain(rest[0]))
        case "F":
            return Flush(chain)
        case "P":
            if rest[0] not in {"ACCEPT", "DROP"}:
                raise RuleError(f"`{rest[0]}` is not a chain policy; ACCEPT and DROP are")
            return SetPolicy(chain, rest[0])
        case "Z":
            return Zero(chain)
        case _:
            return Show(chain)

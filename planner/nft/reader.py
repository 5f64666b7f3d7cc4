"""A text of nft as commands: table blocks and the command form."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from planner.nft.blocks import read_base, read_priority, read_set_block, statement
from planner.nft.commands import (
    AddChain,
    AddObject,
    AddRule,
    AddTable,
    At,
    ChangeElements,
    Command,
    Delete,
    DeleteRule,
    Flush,
    How,
    NotUnderstood,
    Place,
    RenameChain,
    TableKey,
)
from planner.nft.rules import read_rule
from planner.nft.tokens import Cursor, SyntaxMistakeError, Token, joined
from planner.nft.variables import Include, expanded

FAMILIES = frozenset({"ip", "ip6", "inet", "arp", "bridge", "netdev"})
OBJECTS = frozenset({"counter", "quota", "limit", "flowtable", "secmark", "synproxy", "ct"})
VERBS = frozenset({"add", "create", "insert", "replace", "delete", "destroy", "flush", "rename"})
READS = frozenset({"list", "describe", "monitor", "export", "get"})
"""Commands that change nothing."""
NOUNS = frozenset({"table", "chain", "rule", "set", "map", "element", *OBJECTS})

__all__ = ["read_commands", "read_priority"]


@lru_cache(maxsize=8)
def read_alone(text: str) -> tuple[Command, ...]:
    """Commands of a text that includes nothing; equal texts are read once. Raises SyntaxMistakeError."""
    return tuple(read_commands(text))


def read_commands(
    text: str, *, include: Include = lambda _path: None, missing: list[tuple[int, str]] | None = None
) -> Iterator[Command]:
    """Commands in order. Raises SyntaxMistakeError with the line of a real mistake; what is only not known is no mistake."""
    lacking = missing if missing is not None else []
    cursor = Cursor(expanded(text, include, missing=lacking))
    while True:
        while cursor.peek() in {"\n", ";"}:
            cursor.take()
        if cursor.done:
            return
        yield from _command(cursor)
        if not cursor.done and cursor.peek() not in {"\n", ";"}:
            raise SyntaxMistakeError(cursor.line, f"`{_seen(cursor)}` where a line should end")


def _seen(cursor: Cursor) -> str:
    token = cursor.token()
    return token.shown() if token else "the end"


def _at(cursor: Cursor) -> At:
    token = cursor.token()
    return At(cursor.line, token.name if token else "")


def _command(cursor: Cursor) -> Iterator[Command]:
    at = _at(cursor)
    word = cursor.peek()
    if word in READS:
        statement(cursor)
        return
    if word == "reset":
        statement(cursor)
        return
    verb = "add"
    if word in VERBS:
        verb = cursor.take().text
    noun = cursor.peek()
    if verb == "flush" and noun == "ruleset":
        cursor.take()
        family = cursor.take().text if cursor.peek() in FAMILIES else ""
        yield Flush(at, "ruleset", (family, ""))
        return
    if verb == "add" and noun in FAMILIES and word not in VERBS:
        raise SyntaxMistakeError(at.line, f"`{noun}` begins no command: is `add rule` missing before it?")
    if noun not in NOUNS:
        raise SyntaxMistakeError(at.line, f"`{_seen(cursor)}` begins no command of nft")
    cursor.take()
    if noun == "table":
        yield from _table(cursor, verb, at)
    elif verb in {"add", "create", "insert", "replace"}:
        yield from _addition(cursor, verb, noun, at)
    elif verb == "rename" and noun == "chain":
        table = _table_key(cursor)
        yield RenameChain(at, table, _name(cursor, "a chain"), _name(cursor, "its new name"))
    else:
        yield from _removal(cursor, verb, noun, at)


def _name(cursor: Cursor, what: str) -> str:
    token = cursor.token()
    if token is None or token.kind not in {"word", "string"}:
        raise SyntaxMistakeError(cursor.line, f"the name of {what} is missing before `{_seen(cursor)}`")
    return cursor.take().text


def _table_key(cursor: Cursor) -> TableKey:
    family = "ip"
    if cursor.peek() in FAMILIES:
        family = cursor.take().text
    return family, _name(cursor, "a table")


def _table(cursor: Cursor, verb: str, at: At) -> Iterator[Command]:
    if (
        verb in {"delete", "destroy"}
        and cursor.peek() in {*FAMILIES, "handle"}
        and "handle" in {cursor.peek(), cursor.peek(1)}
    ):
        family = cursor.take().text if cursor.peek() in FAMILIES else "ip"
        cursor.take()
        yield Delete(at, "table", (family, ""), lenient=verb == "destroy", handle=_integer(cursor))
        return
    key = _table_key(cursor)
    if verb in {"delete", "destroy"}:
        yield Delete(at, "table", key, lenient=verb == "destroy")
        return
    if verb == "flush":
        yield Flush(at, "table", key)
        return
    if verb not in {"add", "create"}:
        raise SyntaxMistakeError(at.line, f"`{verb} table` is no command of nft")
    if not cursor.accept("{"):
        yield AddTable(at, key, create=verb == "create")
        return
    flags: tuple[str, ...] = ()
    comment = ""
    inner: list[Command] = []
    while not _closes(cursor):
        here = _at(cursor)
        noun = cursor.peek()
        if noun == "flags":
            cursor.take()
            flags = tuple(token.text for token in statement(cursor) if token.text != ",")
        elif noun == "comment":
            cursor.take()
            comment = cursor.take().text
        elif noun in {"chain", "set", "map", *OBJECTS}:
            cursor.take()
            inner += _within(cursor, key, noun, here, how="add")
        else:
            raise SyntaxMistakeError(
                here.line, f"`{_seen(cursor)}` has no meaning in a table: chain, set, map … may stand there"
            )
        _ends(cursor)
    yield AddTable(at, key, create=verb == "create", flags=flags, comment=comment)
    # Sets before the rules that name them, chains before the rules that lead to them: nft sorts a block this way.
    yield from (one for one in inner if not isinstance(one, AddRule))
    yield from (one for one in inner if isinstance(one, AddRule))


def _closes(cursor: Cursor) -> bool:
    """Skips empty lines; takes the closing brace."""
    while cursor.peek() in {"\n", ";"}:
        cursor.take()
    if cursor.done:
        raise SyntaxMistakeError(cursor.line, "a block that was opened with `{` is not closed")
    return cursor.accept("}")


def _ends(cursor: Cursor) -> None:
    """A line end must follow: nft takes no `}` in the line of a statement that is not ended with `;`."""
    if cursor.peek() not in {"\n", ";"}:
        raise SyntaxMistakeError(cursor.line, f"`{_seen(cursor)}` where a `;` or a new line must stand")


def _within(cursor: Cursor, table: TableKey, noun: str, at: At, *, how: How) -> Iterator[Command]:
    """What may stand in a table: its name, and the block that says what it is."""
    if noun == "ct":
        noun = f"ct {cursor.take().text}"
    name = _name(cursor, f"a {noun}")
    create = how == "create"
    if noun == "chain":
        yield from _chain(cursor, table, name, at, create=create)
    elif noun in {"set", "map"}:
        if not cursor.accept("{"):
            raise SyntaxMistakeError(cursor.line, f"{noun} `{name}` needs its type: `{{ type ipv4_addr; }}`")
        yield read_set_block(cursor, table, name, noun, at, create=create)
    else:
        lines: tuple[str, ...] = ()
        if cursor.accept("{"):
            found: list[str] = []
            while not _closes(cursor):
                found.append(joined(statement(cursor)))
            lines = tuple(found)
        else:
            rest = joined(statement(cursor))
            lines = (rest,) if rest else ()
        yield AddObject(at, table, noun, name, lines, create=create)


def _chain(cursor: Cursor, table: TableKey, name: str, at: At, *, create: bool) -> Iterator[Command]:
    base, policy, comment = None, "", ""
    rules: list[AddRule] = []
    if cursor.accept("{"):
        while not _closes(cursor):
            here = _at(cursor)
            if cursor.peek() == "type" and cursor.peek(2) == "hook":
                base = read_base(cursor, table[0])
            elif cursor.peek() == "policy" and cursor.peek(1) in {"accept", "drop"}:
                cursor.take()
                policy = cursor.take().text
            elif cursor.peek() == "comment":
                cursor.take()
                comment = cursor.take().text
            else:
                rules.append(AddRule(here, table, name, read_rule(statement(cursor), table[0])))
            _ends(cursor)
    yield AddChain(at, table, name, base, policy, comment, create=create)
    yield from rules


def _addition(cursor: Cursor, verb: str, noun: str, at: At) -> Iterator[Command]:
    how: How = (
        "create"
        if verb == "create"
        else "insert"
        if verb == "insert"
        else "replace"
        if verb == "replace"
        else "add"
    )
    table = _table_key(cursor)
    if noun == "rule":
        chain = _name(cursor, "a chain")
        place = _place(cursor)
        yield AddRule(at, table, chain, read_rule(statement(cursor), table[0]), how, place)
    elif how in {"insert", "replace"}:
        raise SyntaxMistakeError(
            at.line, f"`{verb} {noun}` is no command of nft: only rules are inserted and replaced"
        )
    elif noun == "element":
        name = _name(cursor, "a set")
        yield ChangeElements(
            at, table, name, tuple(statement(cursor)), "create" if how == "create" else "add"
        )
    elif noun == "ct":
        yield NotUnderstood(at, f"{verb} ct {joined(statement(cursor))}")
    else:
        yield from _within(cursor, table, noun, at, how=how)


def _place(cursor: Cursor) -> Place | None:
    if cursor.peek() in {"handle", "position", "index"} and cursor.peek(1).isdigit():
        word = cursor.take().text
        number = _integer(cursor)
        return Place(index=number) if word == "index" else Place(handle=number)
    return None


def _integer(cursor: Cursor) -> int:
    word = cursor.take().text
    if not word.isdigit():
        raise SyntaxMistakeError(cursor.line, f"`{word}` where a number must stand")
    return int(word)


def _removal(cursor: Cursor, verb: str, noun: str, at: At) -> Iterator[Command]:
    lenient = verb == "destroy"
    if noun == "ct":
        yield NotUnderstood(at, f"{verb} ct {joined(statement(cursor))}")
        return
    table = _table_key(cursor)
    if noun == "rule":
        chain = _name(cursor, "a chain")
        place = _place(cursor)
        if place is None:
            raise SyntaxMistakeError(
                at.line, f"`{verb} rule` needs `handle N`: nft cannot delete a rule by its words"
            )
        yield DeleteRule(at, table, chain, place)
    elif noun == "element":
        name = _name(cursor, "a set")
        yield ChangeElements(at, table, name, tuple(statement(cursor)), "destroy" if lenient else "delete")
    elif verb == "flush":
        yield Flush(at, noun, table, _name(cursor, f"a {noun}"))
    elif cursor.peek() == "handle":
        cursor.take()
        yield Delete(at, noun, table, lenient=lenient, handle=_integer(cursor))
    else:
        yield Delete(at, noun, table, _name(cursor, f"a {noun}"), lenient=lenient)
        if cursor.accept("{"):
            while not _closes(cursor):
                statement(cursor)


def tokens_in(found: Sequence[object]) -> list[Token]:
    """The tokens of elements that were kept for later."""
    return [one for one in found if isinstance(one, Token)]

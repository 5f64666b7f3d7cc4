"""POSIX shell text: words, here-documents and comments that hold what others wrote without obeying it."""

import shlex
from collections.abc import Sequence

from planner.errors import NetchangeError

DELIMITER = "NETCHANGE_END"


def quote(word: str) -> str:
    """One shell word that is exactly `word`, whatever is in it."""
    if "\0" in word:
        raise NetchangeError(
            reference="text-unusable",
            message=f"{word[:60]!r} holds a NUL character, which no command line can carry",
        )
    return shlex.quote(word)


def words(argv: Sequence[str]) -> str:
    """A command line of exactly these words."""
    return " ".join(quote(word) for word in argv)


def comment(text: str) -> str:
    """A comment of one line: everything that could end it, or hide from a reader, becomes a question mark."""
    return "# " + plain(text)


def plain(text: str) -> str:
    """Text for people on one line, without control and direction characters (they can make a terminal lie)."""
    return "".join(char if char.isprintable() else " " if char in "\t\n" else "?" for char in text)


def with_stdin(command: str, text: str, *, rest: str = "") -> str:
    """`command` with `text` as its standard input, octet by octet; `rest` follows on the command's own line.

    A here-document where one can hold the text: its delimiter is quoted, so that the shell expands nothing in it.
    """
    tail = f" {rest}" if rest else ""
    if not text:
        return f"{command} </dev/null{tail}\n"
    if "\0" in text:
        raise NetchangeError(
            reference="text-unusable",
            message="a text to install holds a NUL character, which no shell can carry",
        )
    if not text.endswith("\n"):
        # A here-document always ends with a line break.
        return f"printf %s {quote(text)} | {command}{tail}\n"
    delimiter = DELIMITER
    lines = set(text.split("\n"))
    while delimiter in lines:
        delimiter += "_"
    return f"{command} <<'{delimiter}'{tail}\n{text}{delimiter}\n"


def function(name: str, body: str) -> str:
    """A shell function; an empty body does nothing."""
    return f"{name}() {{\n{body or ':' + chr(10)}}}\n"

"""Words of a rule: how iptables-restore splits a line, and how iptables-save quotes."""

import re
from collections.abc import Iterable

from planner.netfilter.problem import RuleError

BLANKS = " \t\n"
UNQUOTED = frozenset("_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
SPECIAL = re.compile(r"([\"'\\])")


def split_raw(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words, and for each the very characters it was written with.

    The rules are those of `add_param_to_argv` in iptables' xshared.c: a double quote opens and the next one
    *ends the word*; a backslash escapes only inside quotes; single quotes mean nothing.
    """
    if '"' not in text:
        words = tuple(re.split(r"[ \t\n]+", text.strip(BLANKS))) if text.strip(BLANKS) else ()
        return words, words
    found: list[str] = []
    raws: list[str] = []
    word: list[str] = []
    start = -1
    quoted = escaped = False
    for position, character in enumerate(text):
        if quoted:
            if escaped:
                word.append(character)
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                found.append("".join(word))
                raws.append(text[start : position + 1])
                word, start, quoted = [], -1, False
            else:
                word.append(character)
        elif character in BLANKS:
            if start >= 0:
                found.append("".join(word))
                raws.append(text[start:position])
                word, start = [], -1
        else:
            if start < 0:
                start = position
            if character == '"':
                quoted = True
            else:
                word.append(character)
    if quoted:
        raise RuleError("a double quote is not closed")
    if start >= 0:
        found.append("".join(word))
        raws.append(text[start:])
    return tuple(found), tuple(raws)


def split_words(text: str) -> tuple[str, ...]:
    """Words as iptables-restore sees them."""
    return split_raw(text)[0]


def in_quotes(value: str) -> str:
    """The value in double quotes, always."""
    return '"' + SPECIAL.sub(r"\\\1", value) + '"'


def save_string(value: str) -> str:
    """As `xtables_save_string` prints free text: bare only when every character is a letter, digit, `-` or `_`."""
    return value if value and UNQUOTED.issuperset(value) else in_quotes(value)


def quote_word(word: str) -> str:
    """The word as it stands, quoted only where the splitter would not give it back."""
    if word and '"' not in word and not any(blank in word for blank in BLANKS):
        return word
    return in_quotes(word)


def join_words(words: Iterable[str]) -> str:
    """The inverse of `split_words`."""
    return " ".join(quote_word(word) for word in words)


def quotes_open(line: str) -> bool:
    """Whether the line ends inside a quoted word, so that the next line belongs to it."""
    if '"' not in line:
        return False
    if "\\" not in line:
        return line.count('"') % 2 == 1
    quoted = escaped = False
    for character in line:
        if not quoted:
            quoted = character == '"'
        elif escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = False
    return quoted

"""`ipset save`: every set with its options and elements."""

import re

from planner.models.ruleset import IpSet
from planner.models.source import Gap

_WORDS = re.compile(r'"[^"]*"|\S+')
"""ipset quotes comments and forbids a quote within one (ipset(8), comment)."""
_COUNTED = frozenset({"packets", "bytes"})
_RANDOM = frozenset({"initval"})
"""Seed of a set's hash, drawn when it is made (ipset(8), initval): no property of what it holds."""


def parse_ipset_save(text: str) -> tuple[tuple[IpSet, ...], tuple[Gap, ...]]:
    """Sets by name, elements sorted, without counters, remaining times and hash seeds."""
    kinds: dict[str, tuple[str, str]] = {}
    elements: dict[str, list[str]] = {}
    gaps: list[Gap] = []
    for line in text.split("\n"):
        words = _WORDS.findall(line)
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "create" and len(words) >= 3:
            kinds[words[1]] = (words[2], _without(words[3:], _RANDOM))
            elements.setdefault(words[1], [])
        elif words[0] == "add" and len(words) >= 3 and words[1] in kinds:
            elements[words[1]].append(_element(words[2:]))
        else:
            gaps.append(Gap(section="ipset", reason=f"a line could not be read: {line[:160]}"))
    sets = tuple(
        IpSet(name=name, type=kind, options=options, elements=tuple(_ordered(kind, elements[name])))
        for name, (kind, options) in sorted(kinds.items())
    )
    return sets, tuple(gaps)


def _ordered(kind: str, elements: list[str]) -> list[str]:
    # The place of a member decides in a list:set (first match of its kind), and nowhere else.
    return elements if kind == "list:set" else sorted(elements)


def _without(words: list[str], names: frozenset[str]) -> str:
    """Name and value pairs left out by name; a word in quotes is never a name."""
    kept: list[str] = []
    position = 0
    while position < len(words):
        if words[position] in names:
            position += 2
            continue
        kept.append(words[position])
        position += 1
    return " ".join(kept)


def _element(words: list[str]) -> str:
    kept: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        following = words[position + 1] if position + 1 < len(words) else ""
        # A remaining time runs down; `timeout 0` means for ever and stays.
        if position and (word in _COUNTED or (word == "timeout" and following != "0")):
            position += 2
            continue
        kept.append(word)
        position += 1
    return " ".join(kept)

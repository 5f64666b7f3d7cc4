"""nft tables that iptables does not manage, as text, one by one."""

import re
from collections import defaultdict
from collections.abc import Iterator

from planner.diff.unread import unread
from planner.models.change import NativeTableChange
from planner.models.node import NodeState

_TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|[{}]')
_HEADER = re.compile(r"(?:^|[\s;])(table\s+(?:(?:ip|ip6|inet|arp|bridge|netdev)\s+)?[^\s{};]+)\s*$")
_COUNTER = re.compile(r"\bcounter packets \d+ bytes \d+")
_EXPIRES = re.compile(r" expires [0-9a-z]+")
_HANDLE = re.compile(r" ?# handle \d+[ \t]*$", re.MULTILINE)
_ELEMENTS = re.compile(r"\belements = \{([^{}]*)\}")
_DYNAMIC = re.compile(r"\bflags [^\n;]*\bdynamic\b")


def diff_native(before: NodeState, after: NodeState) -> Iterator[NativeTableChange]:
    """Changes by table. Counters, handles, remaining times and the order of a set's elements are no part of it."""
    managed = _managed(before) & _managed(after)
    old, new = native_tables(before.native.text), native_tables(after.native.text)
    for table in sorted({*old, *new} - managed):
        former, latter = old.get(table), new.get(table)
        if (former is None and unread(before, after, "nft/text")) or (
            latter is None and unread(after, before, "nft/text")
        ):
            continue
        if former is None or latter is None or _comparable(former) != _comparable(latter):
            yield NativeTableChange(node=after.name, table=table, before=former, after=latter)


def native_tables(text: str) -> dict[str, str]:
    """`inet host_fw` to its text, of `nft list ruleset`. A table that is given in parts is joined, as nft does."""
    tables: dict[str, list[str]] = defaultdict(list)
    depth = start = outside = 0
    name = ""
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == "{":
            if depth == 0:
                header = _HEADER.search(text, outside, token.start())
                name = _table_name(header[1]) if header else ""
                start = header.start(1) if header else token.start()
            depth += 1
        elif word == "}" and depth:
            depth -= 1
            if depth == 0:
                outside = token.end()
                if name:
                    tables[name].append(_still(text[start:outside]))
        elif word.startswith("#") and depth == 0:
            outside = token.end()
    return {table: "\n".join(parts) for table, parts in tables.items()}


def _table_name(header: str) -> str:
    """Family and name; without a family it is ip (nft(8), TABLES)."""
    words = header.split()
    return f"{words[1]} {words[2]}" if len(words) > 2 else f"ip {words[1]}"


def _managed(state: NodeState) -> set[str]:
    """Tables that are compared as iptables rules: those that iptables-nft shows without a doubt about them."""
    return {
        f"{ruleset.family} {name}"
        for ruleset in state.rulesets
        if ruleset.backend == "nft"
        for name in ruleset.tables
        if state.gap(f"iptables/nft/{ruleset.family}/{name}") is None
    }


def _still(text: str) -> str:
    """Without what moves by itself."""
    return _EXPIRES.sub("", _COUNTER.sub("counter packets 0 bytes 0", _HANDLE.sub("", text)))


def _comparable(text: str) -> str:
    """A form in which tables of one meaning are more often one text: elements sorted, those that packets add left out."""
    parts = re.split(r"(\n\t(?:set|map) [^\n]*\{)", text)
    for at in range(2, len(parts), 2):
        learns = _DYNAMIC.search(parts[at].split("\n\t}", 1)[0]) is not None
        parts[at] = _ELEMENTS.sub(lambda found, learns=learns: "" if learns else _sorted(found[1]), parts[at])
    return "\n".join(line.strip() for line in "".join(parts).split("\n") if line.strip())


def _sorted(elements: str) -> str:
    """Elements in order; one that holds quotes stays where it is with all the others."""
    if '"' in elements:
        return f"elements = {{{elements}}}"
    return f"elements = {{ {', '.join(sorted(' '.join(each.split()) for each in elements.split(',')))} }}"

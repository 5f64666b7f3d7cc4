"""nft tables that iptables does not manage, as text, one by one."""

import re
from collections import defaultdict
from collections.abc import Iterator

from planner.diff.unread import unread
from planner.emit.nft import differing_objects
from planner.models.change import NativeTableChange
from planner.models.node import NodeState
from planner.parse.nft_tables import nft_tables, still

_TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|[{}]')
_HEADER = re.compile(r"(?:^|[\s;])(table\s+(?:(?:ip|ip6|inet|arp|bridge|netdev)\s+)?[^\s{};]+)\s*$")


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
        if former is None or latter is None or not same_table(former, latter):
            yield NativeTableChange(node=after.name, table=table, before=former, after=latter)


def same_table(before: str, after: str) -> bool:
    """Whether two texts of a table differ in nothing but what moves by itself, and the order of chains, sets and elements."""
    former, latter = nft_tables(before), nft_tables(after)
    if len(former) != 1 or former.keys() != latter.keys():
        return before == after
    ((title, table),) = former.items()
    return table.head == latter[title].head and not differing_objects(table, latter[title])


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
                    tables[name].append(still(text[start:outside]))
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

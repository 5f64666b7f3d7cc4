"""nft tables that iptables does not manage, as text, one by one."""

import re
from collections import defaultdict
from collections.abc import Iterator

from planner.diff.commute import Commute
from planner.diff.lists import diff_lists
from planner.diff.unread import unread
from planner.emit.nft import differing_objects
from planner.models.change import (
    NativeChange,
    NativeObjectChange,
    NativeRuleChange,
    NativeTableChange,
    RuleEdit,
)
from planner.models.node import NodeState
from planner.parse.nft_tables import CHAIN, Key, NftObject, nft_tables, still

_TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|[{}]')
_HEADER = re.compile(r"(?:^|[\s;])(table\s+(?:(?:ip|ip6|inet|arp|bridge|netdev)\s+)?[^\s{};]+)\s*$")


def diff_native(before: NodeState, after: NodeState) -> Iterator[NativeChange]:
    """Changes by table, then by what each declares, in its order. What moves by itself, and the order of chains, sets and
    elements, is no part of it.
    """
    managed = _managed(before) & _managed(after)
    old, new = native_tables(before.native.text), native_tables(after.native.text)
    for title in sorted({*old, *new} - managed):
        former, latter = old.get(title), new.get(title)
        if (former is None and unread(before, after, "nft/text")) or (
            latter is None and unread(after, before, "nft/text")
        ):
            continue
        if former is None or latter is None or not same_table(former, latter):
            yield from _table(after.name, title, former, latter)


def _table(node: str, title: str, former: str | None, latter: str | None) -> Iterator[NativeChange]:
    old, new = (nft_tables(text or "").get(title) for text in (former, latter))
    if old is None or new is None or old.head != new.head:
        yield NativeTableChange(node=node, table=title, before=former, after=latter)
    if old is None or new is None:
        return
    for key in differing_objects(old, new):
        yield from _object(node, title, key, old.objects.get(key), new.objects.get(key))


def _object(
    node: str, title: str, key: Key, old: NftObject | None, new: NftObject | None
) -> Iterator[NativeChange]:
    kind, name = key
    heads = [None if one is None else " ".join(one.head) for one in (old, new)]
    if kind == CHAIN and old is not None and new is not None:
        if old.head != new.head:
            yield NativeObjectChange(
                node=node, table=title, what=kind, name=name, before=heads[0], after=heads[1]
            )
        yield from _rules(node, title, name, old.body, new.body)
        return
    # nft prints the elements of a hash as they come.
    bodies = [
        () if one is None else one.body if kind == CHAIN else tuple(sorted(one.lasting)) for one in (old, new)
    ]
    yield NativeObjectChange(
        node=node,
        table=title,
        what=kind,
        name=name,
        before=heads[0],
        after=heads[1],
        added=tuple(_without(bodies[1], bodies[0])),
        removed=tuple(_without(bodies[0], bodies[1])),
    )


def _rules(
    node: str, title: str, chain: str, old: tuple[str, ...], new: tuple[str, ...]
) -> Iterator[NativeChange]:
    """What was added, removed and moved. Nothing is known here of the meaning: every other order is one."""
    commute = Commute("", "", lambda *_: False)
    for edit in diff_lists(old, new, commute=commute, normal=lambda rule, _: rule):
        kind = (
            RuleEdit.ADDED
            if edit.before is None
            else RuleEdit.REMOVED
            if edit.after is None
            else RuleEdit.MOVED
        )
        yield NativeRuleChange(
            node=node,
            table=title,
            chain=chain,
            edit=kind,
            rule=edit.rule,
            before=edit.before,
            after=edit.after,
        )


def _without(items: tuple[str, ...], others: tuple[str, ...]) -> Iterator[str]:
    there = frozenset(others)
    return (item for item in items if item not in there)


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

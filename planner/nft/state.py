"""All tables of nft on a node: those that nobody touches stay the text and the objects that nft printed."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from planner.nft.commands import AddChain, AddObject, AddSet, AddTable, TableKey
from planner.nft.reader import read_commands
from planner.nft.rules import Rule, read_rule
from planner.nft.table import Chain, Item, Set, Table, Thing, table_items, table_text
from planner.nft.tokens import SyntaxMistakeError, tokens_of

CHAIN = re.compile(r"^\tchain (\S+) \{$")
OWN = re.compile(r'^\t\t(?:type \w+ hook |policy (?:accept|drop);|comment "[^"]*"$|flags offload;?$)')
"""What a chain says of itself, before its rules."""
HEAD = re.compile(r"^table (\S+) (\S+) \{$")


class UnreadableTableError(Exception):
    """What nft printed of a table could not be read again."""


class Recorded:
    """Tables by family and name, in the order of print; read when somebody asks for one."""

    def __init__(self, text: str, json_text: str) -> None:
        self._texts = dict(_blocks(text))
        self._items: dict[TableKey, list[Item]] = {}
        self.read: dict[TableKey, Table] = {}
        self.order: list[TableKey] = list(self._texts)
        for item in _objects(json_text):
            for kind, body in item.items():
                if isinstance(body, dict):
                    name = body.get("name") if kind == "table" else body.get("table")
                    self._items.setdefault((str(body.get("family")), str(name)), []).append(item)
        self.order += [key for key in self._items if key not in self._texts]

    def names(self) -> tuple[TableKey, ...]:
        """Tables that there are."""
        return tuple(self.order)

    def table(self, key: TableKey) -> Table | None:
        """A table, to be changed. Raises UnreadableTableError."""
        if key not in self.order:
            return None
        if key not in self.read:
            try:
                self.read[key] = _table(key, self._texts.get(key, ""), self._items.get(key, []))
            except SyntaxMistakeError as error:
                raise UnreadableTableError(
                    f"table {key[0]} {key[1]} as it was recorded: line {error.line}: {error.message}"
                ) from error
        return self.read[key]

    def add(self, key: TableKey) -> Table:
        """A table, made when there is none."""
        found = self.table(key)
        if found is None:
            found = self.read[key] = Table(key)
            self.order.append(key)
        return found

    def remove(self, key: TableKey) -> None:
        """Takes a table away."""
        self.order.remove(key)
        self.read.pop(key, None)
        self._texts.pop(key, None)
        self._items.pop(key, None)

    def text(self) -> str:
        """`nft list ruleset`."""
        return "".join(
            table_text(self.read[key]) if key in self.read else self._texts.get(key, "") for key in self.order
        )

    def json_text(self) -> str:
        """`nft -j list ruleset`, compact; empty without tables."""
        items: list[Item] = []
        for key in self.order:
            items += table_items(self.read[key]) if key in self.read else self._items.get(key, [])
        return json.dumps({"nftables": items}, separators=(",", ":"), ensure_ascii=False) if items else ""


def _blocks(text: str) -> Iterator[tuple[TableKey, str]]:
    key: TableKey | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        opening = HEAD.match(line)
        if opening:
            key, lines = (opening[1], opening[2]), []
        if key is not None:
            lines.append(line)
        if line == "}" and key is not None:
            yield key, "\n".join(lines) + "\n"
            key = None


def _objects(json_text: str) -> list[Item]:
    if not json_text:
        return []
    try:
        found = json.loads(json_text)["nftables"]
    except (ValueError, KeyError, TypeError):
        return []
    return [item for item in found if isinstance(item, dict)]


def _table(key: TableKey, text: str, items: list[Item]) -> Table:
    table = Table(key)
    lines = text.split("\n")
    known = {
        (kind, str(body.get("name"))): item
        for item in items
        for kind, body in item.items()
        if isinstance(body, dict) and kind not in {"table", "chain", "rule"}
    }
    spans = dict(_spans(lines))
    bare, written = _without_rules(lines)
    for command in read_commands(bare):
        match command:
            case AddTable(flags=flags, comment=comment):
                table.flags, table.comment = flags, comment
            case AddChain(chain=name, base=base, policy=policy, comment=comment):
                table.chains[name] = Chain(base, policy, comment)
            case AddSet(name=name, spec=spec, elements=elements):
                table.sets[name] = Set(
                    spec, list(elements), spans.get((spec.kind, name), ()), known.get((spec.kind, name))
                )
            case AddObject(kind=kind, name=name):
                told = tuple(line.strip() for line in spans.get((kind, name), ()))
                table.things[kind, name] = Thing(told, known.get((kind, name)))
            case _:
                pass
    bodies: dict[str, list[Item]] = {}
    for item in items:
        body = item.get("rule")
        if isinstance(body, dict):
            bodies.setdefault(str(body.get("chain")), []).append(body)
    for name, chain in table.chains.items():
        chain.rules = _rules(written.get(name, []), bodies.get(name, []), key[0])
    return table


def _without_rules(lines: list[str]) -> tuple[str, dict[str, list[str]]]:
    """The table without rules, and those of each chain: what nft prints of one stands on a line, or deeper ones below it."""
    kept: list[str] = []
    rules: dict[str, list[str]] = {}
    inside: list[str] | None = None
    for line in lines:
        opening = CHAIN.match(line)
        if opening:
            inside = rules.setdefault(opening[1], [])
        elif line == "\t}":
            inside = None
        elif inside is not None and (inside or not OWN.match(line)):
            if line.startswith(("\t\t\t", "\t\t}")) and inside:
                inside[-1] += f"\n{line}"
            else:
                inside.append(line)
            continue
        kept.append(line)
    return "\n".join(kept), rules


def _rules(lines: list[str], bodies: list[Item], family: str) -> list[Rule]:
    """Rules in nft's own words; their objects, or what this reader makes of the words where they are not known."""
    if len(lines) != len(bodies):
        return [
            replace(read_rule(list(tokens_of(line)), family), text=line.strip(), refused="") for line in lines
        ]
    return [
        Rule(line.strip(), tuple(one for one in expr if isinstance(one, dict)), str(body.get("comment", "")))
        for line, body in zip(lines, bodies, strict=True)
        if isinstance(expr := body.get("expr"), list)
    ]


def _spans(lines: list[str]) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    """The inside of each block of a table, as it was printed."""
    opening, start = re.compile(r"^\t(\S+(?: \S+)?) (\S+) \{$"), -1
    key = ("", "")
    for at, line in enumerate(lines):
        found = opening.match(line)
        if found:
            key, start = (found[1], found[2]), at + 1
        elif line == "\t}" and start >= 0:
            yield key, tuple(lines[start:at])
            start = -1

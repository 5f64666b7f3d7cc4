"""One table of nft: its chains, sets and objects, read from what nft printed and printed as nft does."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from planner.nft.blocks import priority_text
from planner.nft.commands import Base, SetSpec, TableKey
from planner.nft.problem import NotReadError
from planner.nft.right import Element, has_intervals, in_order, time_text, value_text, verdict_text
from planner.nft.rules import Rule
from planner.nft.values import Json

Item = dict[str, Json]
WRAPPED = {
    **dict.fromkeys(
        ("nf_proto", "integer", "inet_proto", "inet_service", "tcp_flag", "mark", "iface_index", "classid", "uid", "gid", "ct_dir"), 5
    ),
    **dict.fromkeys(("ipv4_addr", "ct_state", "ct_status", "pkt_type"), 2),
}  # fmt: skip
"""Elements on a line, by data type; one for all others (calculate_delim of nft)."""
BREAK = ",\n\t\t\t     "


@dataclass(slots=True)
class Chain:
    """A chain and its rules."""

    base: Base | None = None
    policy: str = ""
    comment: str = ""
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Set:
    """A set or a map."""

    spec: SetSpec
    elements: list[Element] = field(default_factory=list)
    printed: tuple[str, ...] = ()
    """The lines that nft printed, as long as they are true."""
    item: Item | None = None


@dataclass(slots=True)
class Thing:
    """An object that is kept as it is written."""

    lines: tuple[str, ...]
    item: Item | None = None


@dataclass(slots=True)
class Table:
    """Everything of one table."""

    key: TableKey
    flags: tuple[str, ...] = ()
    comment: str = ""
    things: dict[tuple[str, str], Thing] = field(default_factory=dict)
    """By kind and name."""
    sets: dict[str, Set] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)

    def copy(self) -> "Table":
        """A table that may be changed while this one stays."""
        return Table(
            self.key, self.flags, self.comment, dict(self.things),
            {name: replace(one, elements=list(one.elements)) for name, one in self.sets.items()},
            {name: replace(one, rules=list(one.rules)) for name, one in self.chains.items()},
        )  # fmt: skip


def table_text(table: Table) -> str:
    """As `nft list ruleset` prints it."""
    family, name = table.key
    blocks: list[list[str]] = []
    head = [f'\tcomment "{table.comment}"'] if table.comment else []
    head += [f"\tflags {','.join(table.flags)}"] if table.flags else []
    things = [(key, thing) for key, thing in table.things.items() if key[0] != "flowtable"]
    for (kind, one), thing in things:
        blocks.append([f"\t{kind} {one} {{", *(f"\t\t{line}" for line in thing.lines), "\t}"])
    for one, held in table.sets.items():
        blocks.append([f"\t{held.spec.kind} {one} {{", *(held.printed or set_lines(held)), "\t}"])
    for (kind, one), thing in table.things.items():
        if kind == "flowtable":
            blocks.append([f"\tflowtable {one} {{", *(f"\t\t{line}" for line in thing.lines), "\t}"])
    for one, chain in table.chains.items():
        blocks.append([f"\tchain {one} {{", *_chain_lines(chain, family), "\t}"])
    body = "\n\n".join("\n".join(block) for block in blocks)
    # Of what stands before the blocks only flags are followed by an empty line.
    between = "" if not (head and body) else "\n\n" if table.flags else "\n"
    inner = "\n".join(head) + between + body
    return f"table {family} {name} {{\n" + (f"{inner}\n" if inner else "") + "}\n"


def _chain_lines(chain: Chain, family: str) -> Iterator[str]:
    if chain.comment:
        yield f'\t\tcomment "{chain.comment}"'
    if chain.base:
        base = chain.base
        devices = ""
        if len(base.devices) == 1:
            devices = f' device "{base.devices[0]}"'
        elif base.devices:
            devices = " devices = { " + ", ".join(base.devices) + " }"
        priority = priority_text(base.priority, family, base.hook)
        yield f"\t\ttype {base.kind} hook {base.hook}{devices} priority {priority}; policy {chain.policy or 'accept'};"
    for rule in chain.rules:
        yield f"\t\t{rule.text}"


def set_lines(held: Set) -> list[str]:
    """The inside of a set's block."""
    spec = held.spec
    lines = [spec.typed]
    if spec.policy == "memory":
        lines.append("policy memory")
    if spec.size:
        lines.append(f"size {spec.size}")
    flags = [flag for flag in FLAG_ORDER if flag in spec.flags]
    # A default time says the same (set_print_declaration of nft).
    if set(flags) - ({"timeout"} if spec.timeout else set()):
        lines.append(f"flags {','.join(flags)}")
    if spec.timeout:
        lines.append(f"timeout {time_text(spec.timeout)}")
    if spec.gc_interval:
        lines.append(f"gc-interval {time_text(spec.gc_interval)}")
    if spec.counter:
        lines.append("counter")
    if spec.auto_merge:
        lines.append("auto-merge")
    if spec.comment:
        lines.append(f'comment "{spec.comment}"')
    if spec.unread:
        lines.append(f"elements = {spec.unread}")
    shown = [_element_text(one, spec) for one in ordered(held)]
    if shown:
        wrap = WRAPPED.get(spec.kinds[0], 1) if len(spec.kinds) == 1 else 1
        rows = [", ".join(shown[at : at + wrap]) for at in range(0, len(shown), wrap)]
        lines.append(f"elements = {{ {BREAK.join(rows)} }}")
    return [f"\t\t{line}" for line in lines]


FLAG_ORDER = ("constant", "dynamic", "interval", "timeout")


def ordered(held: Set) -> list[Element]:
    """Elements in the order of print."""
    spec = held.spec
    intervals = "interval" in spec.flags
    by_value = {json.dumps(one.value): one for one in held.elements}
    try:
        pairs = in_order(
            [(one.value, one.data) for one in held.elements], spec.kinds, intervals=intervals,
            merge=intervals and spec.auto_merge and not spec.data,
        )  # fmt: skip
    except NotReadError:
        return list(held.elements)
    return [by_value.get(json.dumps(value)) or Element(value, data) for value, data in pairs]


def _element_text(one: Element, spec: SetSpec) -> str:
    text = value_text(one.value, spec.kinds)
    if one.counted or spec.counter:
        text += " counter packets 0 bytes 0"
    if one.timeout is not None:
        text += f" timeout {time_text(one.timeout)}"
    if one.comment:
        text += f' comment "{one.comment}"'
    if spec.data:
        data = one.data
        text += f" : {verdict_text(data) if spec.data == ('verdict',) else value_text(data, spec.data)}"
    return text


def table_items(table: Table) -> list[Item]:
    """The objects of `nft -j list ruleset`, without handles."""
    family, name = table.key
    items: list[Item] = [{"table": {"family": family, "name": name}}]
    for (kind, one), thing in table.things.items():
        items.append(thing.item or {kind: {"family": family, "name": one, "table": name}})
    for one, held in table.sets.items():
        items.append(held.item or {held.spec.kind: _set_item(held, family, name, one)})
    for one, chain in table.chains.items():
        told: Item = {"family": family, "table": name, "name": one}
        if chain.base:
            told |= {"type": chain.base.kind, "hook": chain.base.hook, "prio": chain.base.priority}
            told["policy"] = chain.policy or "accept"
        items.append({"chain": told})
    for one, chain in table.chains.items():
        for rule in chain.rules:
            body: Item = {"family": family, "table": name, "chain": one, "expr": [*rule.expr]}
            if rule.comment:
                body["comment"] = rule.comment
            items.append({"rule": body})
    return items


def _set_item(held: Set, family: str, table: str, name: str) -> Item:
    spec = held.spec
    told: Item = {"family": family, "name": name, "table": table, "type": _types(spec.kinds)}
    if spec.data:
        told["map"] = spec.data[0] if len(spec.data) == 1 else " . ".join(spec.data)
    if spec.policy == "memory":
        told["policy"] = "memory"
    if spec.size:
        told["size"] = spec.size
    if spec.comment:
        told["comment"] = spec.comment
    flags: list[Json] = [
        flag for flag in ("constant", "interval", "timeout", "dynamic") if flag in spec.flags
    ]
    if spec.timeout and "timeout" not in flags:
        flags.append("timeout")
    if flags:
        told["flags"] = flags
    if spec.timeout:
        told["timeout"] = spec.timeout
    if spec.gc_interval:
        told["gc-interval"] = spec.gc_interval
    if spec.unread:
        told["unread"] = spec.unread
    if spec.counter:
        told["stmt"] = [{"counter": None}]
    elements: list[Json] = [_element_json(one, spec) for one in ordered(held)]
    if elements:
        told["elem"] = elements
    return told


def _types(kinds: Sequence[str]) -> Json:
    return kinds[0] if len(kinds) == 1 else [*kinds]


def _element_json(one: Element, spec: SetSpec) -> Json:
    value = one.value
    extra: Item = {}
    if one.timeout is not None:
        extra["timeout"] = one.timeout
    if one.comment:
        extra["comment"] = one.comment
    if one.counted or spec.counter:
        extra["counter"] = {"packets": 0, "bytes": 0}
    told: Json = {"elem": {"val": value, **extra}} if extra else value
    return [told, one.data] if spec.data else told


def needs_intervals(elements: Sequence[Element]) -> bool:
    """Whether a set must have the flag `interval` for them."""
    return has_intervals([one.value for one in elements if one.value != "*"])

"""Packet filters of a stage: ipsets, both backends of iptables, native nft tables."""

import re
from collections.abc import Iterator

from planner.diff.native import native_tables
from planner.emit.ipset import restore_input
from planner.emit.iptables_save import emit_ruleset, emit_table
from planner.models.node import NodeState
from planner.models.ruleset import IpSet, Ruleset, Table
from planner.rehearse.batch import Refusal
from planner.rehearse.namespaces import Namespaces

DEADLINE = 600.0
INERT = '-m comment --comment "not rebuilt"'
TRIES = 8
"""Rules of one table that may be refused; then the table is left out."""
TOO_LONG = "Message too long"
"""What a program says of a table that is larger than net.core.wmem_max."""
_LINE = re.compile(r"(?:^|\s)line:? (\d+)\b|: line (\d+) failed")


def rebuild_filters(namespaces: Namespaces, node: NodeState) -> list[Refusal]:
    """Load everything; what was refused."""
    refused = list(_ipsets(namespaces, node.ipsets))
    order = {"legacy": 0, "nft": 1}
    for ruleset in sorted(node.rulesets, key=lambda one: (order[one.backend], one.family)):
        if ruleset.tables:
            refused += _ruleset(namespaces, ruleset)
    refused += _native(namespaces, node)
    return refused


def _run(namespaces: Namespaces, argv: tuple[str, ...], text: str) -> tuple[bool, str]:
    data = text.encode("utf-8", "surrogateescape")
    done = namespaces.run(argv, data, {}, DEADLINE)
    if TOO_LONG in done.stderr:
        done = namespaces.run_with_large_messages(argv, data)
    said = [line for line in done.stderr.splitlines() if line and not line.startswith("# Warning")]
    return done.status == 0, "; ".join(said[:2]) or f"exit {done.status}"


def _ipsets(namespaces: Namespaces, sets: tuple[IpSet, ...]) -> Iterator[Refusal]:
    # A list may only name sets that are there.
    ordered = sorted(sets, key=lambda one: (one.type == "list:set", one.name))
    if not ordered:
        return
    argv = ("ipset", "-exist", "restore")
    if _run(namespaces, argv, "".join(restore_input(None, one) for one in ordered))[0]:
        return
    for one in ordered:
        done, reason = _run(namespaces, argv, restore_input(None, one))
        if not done:
            yield Refusal(f"ipset {one.name}", reason)


def _ruleset(namespaces: Namespaces, ruleset: Ruleset) -> Iterator[Refusal]:
    """All tables at once; where that is refused, table by table."""
    program = f"{'ip6tables' if ruleset.family == 'ip6' else 'iptables'}-{ruleset.backend}-restore"
    if _run(namespaces, (program,), emit_ruleset(ruleset))[0]:
        return
    for table in ruleset.tables.values():
        yield from _table(namespaces, program, table, f"({ruleset.family}, {ruleset.backend})")


def _table(namespaces: Namespaces, program: str, table: Table, where: str) -> Iterator[Refusal]:
    """A rule that is refused leaves one that does nothing at its place, so that the others keep their numbers."""
    text = emit_table(table)
    for _ in range(TRIES):
        done, reason = _run(namespaces, (program,), text)
        if done:
            return
        if TOO_LONG in reason:
            break
        lines = text.split("\n")
        place = _LINE.search(reason)
        number = int(place[1] or place[2]) - 1 if place else -1
        rule = re.match(r"-A (\S+) (.*)", lines[number]) if 0 <= number < len(lines) else None
        if rule is None:
            break
        yield Refusal(f"chain {rule[1]} of table {table.name} {where}", f"`{rule[2]}`: {reason}")
        lines[number] = f"-A {rule[1]} {INERT}"
        text = "\n".join(lines)
    else:
        reason = f"more than {TRIES} rules were refused"
    yield Refusal(f"table {table.name} {where}", reason)


def _native(namespaces: Namespaces, node: NodeState) -> Iterator[Refusal]:
    """As text: the JSON form cannot be loaded again in every case. Tables that iptables-nft made are left out."""
    loaded = {
        f"{ruleset.family} {name}"
        for ruleset in node.rulesets
        if ruleset.backend == "nft"
        for name in ruleset.tables
    }
    tables = {name: text for name, text in native_tables(node.native.text).items() if name not in loaded}
    if not tables or _run(namespaces, ("nft", "-f", "-"), "\n".join([*tables.values(), ""]))[0]:
        return
    for name, text in tables.items():
        done, reason = _run(namespaces, ("nft", "-f", "-"), text + "\n")
        if not done:
            yield Refusal(f"nft table {name}", reason)

"""Rule sets as iptables-restore loads them."""

from collections.abc import Iterator

from planner.models.ruleset import Ruleset, Table


def emit_ruleset(ruleset: Ruleset) -> str:
    """Every table, in the order it was printed."""
    return "".join(emit_table(table) for table in ruleset.tables.values())


def emit_table(table: Table) -> str:
    """One table: declarations, rules, COMMIT."""
    return "\n".join((*table_lines(table), ""))


def table_lines(table: Table) -> Iterator[str]:
    """Line by line. iptables-restore reads lines: an end of line inside a comment becomes a blank, since the rest
    of the comment would be loaded as a rule of its own.
    """
    yield f"*{table.name}"
    for chain in table.chains:
        yield f":{chain} {table.policies.get(chain, '-')} [0:0]"
    for chain, rules in table.chains.items():
        for rule in rules:
            text = rule.replace("\n", " ") if "\n" in rule else rule
            yield f"-A {chain} {text}" if text else f"-A {chain}"
    yield "COMMIT"

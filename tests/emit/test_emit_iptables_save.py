"""Rule sets are printed so that iptables-restore loads them, and loads nothing else."""

from planner.emit.iptables_save import emit_ruleset, emit_table
from planner.models.ruleset import Ruleset, Table


def test_a_table_is_declarations_rules_and_commit() -> None:
    """User chains are declared with a dash, a rule without words is printed without a blank at its end."""
    table = Table(
        name="nat", policies={"PREROUTING": "ACCEPT"}, chains={"PREROUTING": ("-j MINE", ""), "MINE": ()}
    )

    assert (
        "*nat\n:PREROUTING ACCEPT [0:0]\n:MINE - [0:0]\n-A PREROUTING -j MINE\n-A PREROUTING\nCOMMIT\n"
    ) == emit_table(table)


def test_a_line_end_in_a_comment_does_not_become_a_rule() -> None:
    """iptables-restore reads lines: the rest of the comment would be loaded as a rule."""
    table = Table(
        name="filter",
        policies={"INPUT": "ACCEPT"},
        chains={"INPUT": ('-m comment --comment "x\n-A INPUT -j DROP" -j ACCEPT',)},
    )
    lines = emit_table(table).splitlines()

    assert ['-A INPUT -m comment --comment "x -A INPUT -j DROP" -j ACCEPT'] == [
        line for line in lines if line.startswith("-A")
    ]


def test_tables_keep_their_order() -> None:
    """As they were printed."""
    ruleset = Ruleset(
        family="ip", backend="nft", tables={name: Table(name=name) for name in ("raw", "filter", "nat")}
    )

    assert "*raw\nCOMMIT\n*filter\nCOMMIT\n*nat\nCOMMIT\n" == emit_ruleset(ruleset)
    assert "" == emit_ruleset(Ruleset(family="ip", backend="nft"))

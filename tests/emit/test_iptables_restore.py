"""The transaction that turns one state of a table into another."""

import pytest

from planner.emit.iptables_restore import restore_input, touched_chains
from planner.errors import NetchangeError
from planner.models.ruleset import Table

EMPTY = {"INPUT": (), "FORWARD": (), "OUTPUT": ()}
ACCEPT = {"INPUT": "ACCEPT", "FORWARD": "ACCEPT", "OUTPUT": "ACCEPT"}


def table(policies: dict[str, str] | None = None, **chains: tuple[str, ...]) -> Table:
    return Table(name="filter", policies={**ACCEPT, **(policies or {})}, chains={**EMPTY, **chains})


def test_equal_tables_need_nothing() -> None:
    """No difference, no transaction: not even an empty one, which would still take the lock."""
    one = table(INPUT=("-j ACCEPT",))

    assert "" == restore_input(one, one, family="ip")
    assert "" == restore_input(None, None, family="ip")


def test_an_untouched_table_equals_a_missing_one() -> None:
    """iptables-save prints empty base chains for a table that was only looked at."""
    assert "" == restore_input(table(), None, family="ip")
    assert () == touched_chains(None, table())


def test_only_chains_that_differ_are_written() -> None:
    """Others keep their counters, and what somebody else changes in them at the same moment."""
    have = table(INPUT=("-j A",), A=("-j DROP",), B=("-j ACCEPT",))
    want = table(INPUT=("-j A",), A=("-j ACCEPT", "-j DROP"), B=("-j ACCEPT",))

    text = restore_input(have, want, family="ip")

    assert "*filter\n:A - [0:0]\n-A A -j ACCEPT\n-A A -j DROP\nCOMMIT\n" == text


def test_new_chains_stand_before_the_rules_that_jump_to_them_and_gone_ones_go_last() -> None:
    """A jump to a chain that does not exist yet, or the deletion of one that is still used, fails the transaction."""
    have = table(FORWARD=("-j OLD",), OLD=("-j OLDER",), OLDER=())
    want = table(FORWARD=("-j NEW",), NEW=())

    lines = restore_input(have, want, family="ip").splitlines()

    assert lines.index(":NEW - [0:0]") < lines.index("-A FORWARD -j NEW")
    assert lines.index("-F FORWARD") < lines.index("-A FORWARD -j NEW") < lines.index("-X OLD")
    assert ["-X OLD", "-X OLDER", "COMMIT"] == lines[-3:]


def test_a_policy_alone_leaves_the_rules_alone() -> None:
    """`:CHAIN POLICY` does not flush a base chain under --noflush."""
    have, want = table(INPUT=("-j ACCEPT",)), table({"INPUT": "DROP"}, INPUT=("-j ACCEPT",))

    assert "*filter\n:INPUT DROP [0:0]\nCOMMIT\n" == restore_input(have, want, family="ip")


@pytest.mark.parametrize("chain", ["A B", "-A", "x\nCOMMIT", "!A", ""])
def test_a_chain_name_that_would_read_as_something_else_is_refused(chain: str) -> None:
    """There is no quoting of chain names; a wrong guess would run as root."""
    with pytest.raises(NetchangeError) as refused:
        restore_input(table(), table(**{chain: ()}), family="ip")

    assert "chain-name-unusable" == refused.value.reference


def test_a_rule_with_a_line_break_is_refused() -> None:
    """iptables-legacy-save prints a comment's line break raw; the second line would be a command of its own."""
    rule = '-m comment --comment "a\n-F\n" -j ACCEPT'

    with pytest.raises(NetchangeError) as refused:
        restore_input(table(), table(INPUT=(rule,)), family="ip")

    assert "rule-unusable" == refused.value.reference

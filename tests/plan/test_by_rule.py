"""The way back rule by rule: what is told of a chain, and of which tables it is not told."""

from planner.models.node import NodeState
from planner.models.plan import Hunk
from planner.models.ruleset import Ruleset, Table
from planner.plan.by_rule import CHAINS, MOST, WIDE, chains_back
from planner.plan.scope import Scope


def node(**chains: tuple[str, ...]) -> NodeState:
    table = Table(name="filter", policies={"FORWARD": "ACCEPT"}, chains=chains)
    return NodeState(name="n", rulesets=(Ruleset(family="ip", backend="nft", tables={"filter": table}),))


def hunks(before: str, after: str) -> tuple[Hunk, ...]:
    sides = (node(FORWARD=tuple(rules)) for rules in (before, after))
    (back,) = chains_back(*sides, Scope())
    return back.hunks


def test_a_rule_that_was_taken_away_knows_its_neighbours() -> None:
    """The nearest first, and only those that stand in the chain once."""
    assert (Hunk(above=("b",), below=("e", "f"), removed=("d",)),) == hunks("xbxdef", "xbxef")


def test_a_rule_at_an_end_knows_that_it_is_there() -> None:
    """What others put behind it, or before it, is no riddle then."""
    first, last = hunks("abc", "Xabcd")

    assert (True, ("X",), False) == (first.first, first.added, first.last)
    assert (True, ("d",), False) == (last.last, last.added, last.first)


def test_a_rule_that_stands_elsewhere_too_is_bound_to_its_neighbours() -> None:
    """One that was moved is there before and after: only its place tells."""
    assert [True, True] == [hunk.bound for hunk in hunks("abcd", "bcda")]
    assert [False] == [hunk.bound for hunk in hunks("abcd", "abcdX")]


def test_a_table_of_which_much_is_changed_is_not_told_by_rule() -> None:
    """It would take longer than the change: such a table is taken back as a whole, or left as a whole."""
    rules = tuple(f"-s 10.0.{n // 256}.{n % 256}/32" for n in range(MOST + 1))
    many = {f"C{n}": ("-j RETURN",) for n in range(CHAINS + 1)}

    assert [] == list(chains_back(node(), node(FORWARD=rules), Scope()))
    assert [] == list(chains_back(node(), node(**many), Scope()))
    assert 1 == len(list(chains_back(node(), node(FORWARD=rules[:MOST]), Scope())))


def test_a_long_chain_is_told_by_its_differences() -> None:
    """However far these are from each other: rules that stand in both only once hold the rest together."""
    rules = tuple(f"-s 10.0.{n // 256}.{n % 256}/32" for n in range(3 * WIDE))
    moved = (*rules[1:-1], rules[0], "new", rules[-1])

    (back,) = chains_back(node(FORWARD=rules), node(FORWARD=moved), Scope())

    assert [((), rules[:1]), ((rules[0], "new"), ())] == [(hunk.added, hunk.removed) for hunk in back.hunks]
    assert [True, True] == [hunk.bound for hunk in back.hunks]


def test_long_chains_that_have_nothing_in_common_are_not_told_by_rule() -> None:
    """To line them up would take the square of their length."""
    one, other = (tuple(f"-s 10.{k}.{n // 256}.{n % 256}/32" for n in range(WIDE + 1)) for k in (1, 2))

    assert [] == list(chains_back(node(FORWARD=one), node(FORWARD=other), Scope()))

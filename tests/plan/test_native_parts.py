"""What is told of nft tables for a way back rule by rule."""

import re
from importlib.resources import files

import pytest

from planner.models.node import NodeState
from planner.models.plan import NativeBack
from planner.models.ruleset import NativeRuleset
from planner.plan.by_rule import MOST
from planner.plan.native_parts import natives_back, one_line
from planner.plan.scope import scope

BASE = """table inet fw {
	set s {
		type ipv4_addr
		elements = { 10.0.0.1, 10.0.0.2 }
	}

	chain c {
		type filter hook input priority filter; policy accept;
		ip saddr @s accept
		tcp dport 22 accept
	}
}
"""


def backs(before: str, after: str) -> dict[str, NativeBack]:
    states = [NodeState(name="n", native=NativeRuleset(text=text)) for text in (before, after)]
    found = natives_back(states[0], states[1], scope(states))
    return {f"{back.kind} {back.name}".strip(): back for back in found}


def test_only_what_differs_is_told() -> None:
    """Rules of one chain; nothing of the set."""
    found = backs(BASE, BASE.replace("\t\ttcp dport 22", "\t\ttcp dport 80 drop\n\t\ttcp dport 22"))

    assert ["chain c"] == list(found)
    assert [("tcp dport 80 drop",)] == [hunk.added for hunk in found["chain c"].hunks]
    assert ("nft chain c of table inet fw",) == found["chain c"].things


def test_a_policy_is_told_where_the_step_has_set_it() -> None:
    """Whoever sets it where the step has not, has set it."""
    rules = BASE.replace("tcp dport 22", "tcp dport 23")

    assert "" == backs(BASE, rules)["chain c"].policy
    assert "accept" == backs(BASE, BASE.replace("policy accept", "policy drop"))["chain c"].policy


def test_a_chain_that_names_what_is_made_anew_is_told_without_rules() -> None:
    """It is written again: what others have put into it has to be known, and none of it is the step's."""
    found = backs(BASE, BASE.replace("type ipv4_addr\n", "type ipv4_addr\n\t\tflags interval\n"))

    assert {"set s", "chain c"} == set(found)
    assert found["set s"].again
    assert () == found["chain c"].hunks


def test_elements_of_a_set_of_another_type_are_all_told() -> None:
    """None of them can stay."""
    other = BASE.replace("type ipv4_addr\n", "type inet_service\n").replace("10.0.0.1, 10.0.0.2", "80")

    found = backs(BASE, other)["set s"]
    assert (("80",), ("10.0.0.1", "10.0.0.2")) == (found.added, found.removed)


def test_a_table_of_the_step_is_told_thing_by_thing() -> None:
    """Under the names of what is read of it."""
    found = backs("", BASE)

    assert {"set s", "chain c"} == set(found)
    assert all(back.made for back in found.values())
    assert {("nft table inet fw", "nft elements of table inet fw")} == {
        back.things for back in found.values()
    }
    assert {"set s", "chain c", "table"} == set(backs(BASE, ""))


def test_a_block_of_rules_is_one_line() -> None:
    """As nft reads it, too."""
    rule = "jump {\nip saddr 1.1.1.1 drop\ntcp dport 99 accept\n}"

    assert "jump { ip saddr 1.1.1.1 drop; tcp dport 99 accept; }" == one_line(rule)


def test_a_table_of_which_much_is_changed_is_not_told_by_rule() -> None:
    """It would take longer than the change."""
    rules = "".join(f"\t\ttcp dport {number + 1} accept\n" for number in range(MOST + 2))

    assert {} == backs(BASE, BASE.replace("\t\ttcp dport 22 accept\n", rules))


@pytest.mark.parametrize("name", ["parts.sh", "parts_nft.sh", "rollback.sh", "apply.sh"])
def test_what_a_note_in_the_log_sets_is_used_by_nobody_else(name: str) -> None:
    """A note may be written anywhere, and asks for the time once a second: a name of both would change by chance."""
    folder = files("planner.plan")
    note = (
        folder.joinpath("common.sh")
        .read_text(encoding="utf-8")
        .partition("\nnote() {")[2]
        .partition("\n}\n")[0]
    )
    own = set(re.findall(r"\b(nc_\w+)=", note)) - {"nc_tick"}
    assert "nc_now" in own

    text = folder.joinpath(name).read_text(encoding="utf-8")
    assert set() == own & set(re.findall(r"\b(nc_\w+)=", text))

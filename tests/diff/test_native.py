"""Native nft tables compared by what they declare: chains rule by rule, sets element by element."""

import pytest

from planner.diff.native import diff_native
from planner.models.change import NativeChange
from planner.models.node import NodeState
from planner.models.ruleset import NativeRuleset
from planner.report.words import describe

FW = """table inet fw {
	counter c1 {
		packets 12 bytes 840
	}

	set s {
		type ipv4_addr
		elements = { 10.0.0.1, 10.0.0.2 }
	}

	chain sub {
		tcp dport 9 drop
	}

	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 22 accept
		tcp dport 80 counter packets 3 bytes 9 accept
		jump sub
	}
}
"""
SUB = "\tchain sub {\n\t\ttcp dport 9 drop\n\t}\n\n"


def changes(before: str, after: str) -> list[NativeChange]:
    states = (NodeState(name="node-1", native=NativeRuleset(text=text)) for text in (before, after))
    return list(diff_native(*states))


def edited(*pairs: tuple[str, str]) -> str:
    text = FW
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


TOLD = {
    "rule-added": (
        (("\t\tjump sub\n", "\t\tjump sub\n\t\ttcp dport 23 drop\n"),),
        ["nft inet fw input: rule added at 4: tcp dport 23 drop"],
    ),
    "rule-removed": (
        (("\t\ttcp dport 22 accept\n", ""),),
        ["nft inet fw input: rule removed from 1: tcp dport 22 accept"],
    ),
    "rule-moved": (
        (("\t\ttcp dport 22 accept\n", ""), ("\t\tjump sub\n", "\t\tjump sub\n\t\ttcp dport 22 accept\n")),
        ["nft inet fw input: rule moved from 1 to 3: tcp dport 22 accept"],
    ),
    "rule-with-a-block": (
        (("\t\tjump sub\n", "\t\tjump {\n\t\t\ttcp dport 5 drop\n\t\t}\n\t\tjump sub\n"),),
        ["nft inet fw input: rule added at 3: jump { tcp dport 5 drop }"],
    ),
    "elements": (
        (("10.0.0.1, 10.0.0.2", "10.0.0.3, 10.0.0.2"),),
        ["nft inet fw set s: +10.0.0.3, -10.0.0.1"],
    ),
    "policy": (
        (("policy accept", "policy drop"),),
        ["nft inet fw chain input: policy accept → policy drop"],
    ),
    "hook": (
        (("priority filter;", "priority filter + 5;"),),
        [
            "nft inet fw chain input: type filter hook input priority filter → type filter hook input priority filter + 5"
        ],
    ),
    "chain-gone": (
        ((SUB, ""), ("\t\tjump sub\n", "")),
        [
            "nft inet fw chain sub removed with 1 rule",
            "nft inet fw input: rule removed from 3: jump sub",
        ],
    ),
    "counter-gone": (
        (("\tcounter c1 {\n\t\tpackets 12 bytes 840\n\t}\n\n", ""),),
        ["nft inet fw counter c1 removed: packets 0 bytes 0"],
    ),
    "asleep": (
        (("table inet fw {\n", "table inet fw {\n\tflags dormant\n"),),
        ["nft table inet fw: (absent) → flags dormant"],
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_changed_is_named(name: str) -> None:
    """The chain, the place and the rule; the set and the element."""
    pairs, told = TOLD[name]

    assert told == [describe(change) for change in changes(FW, edited(*pairs))]


def test_a_table_that_comes_is_one_change() -> None:
    """It is told whole."""
    assert ["nft table inet fw added"] == [describe(change) for change in changes("", FW)]


INNOCENT = {
    "counts": (("packets 3 bytes 9", "packets 99 bytes 1"), ("packets 12 bytes 840", "packets 1 bytes 1")),
    "order-of-elements": (("10.0.0.1, 10.0.0.2", "10.0.0.2,\n\t\t\t     10.0.0.1"),),
    "order-of-chains": ((SUB, ""), ("\t\tjump sub\n\t}\n", f"\t\tjump sub\n\t}}\n\n{SUB.rstrip()}\n")),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_no_packet_can_tell_is_no_change(name: str) -> None:
    """Counters, and the order in which nft lists elements and chains."""
    assert [] == changes(FW, edited(*INNOCENT[name]))

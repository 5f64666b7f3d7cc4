"""Rules in every notation, and what is refused in words that help."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from rule_texts import rule_texts

from planner.netfilter.condition import Opaque
from planner.netfilter.effect import OpaqueTarget
from planner.netfilter.lower import lower_text
from planner.netfilter.problem import NodeDependentError
from planner.netfilter.rule import (
    RuleError,
    canonical,
    canonical_rules,
    emit_rule,
    parse_rule,
    parse_rules,
    parse_words,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["ip", "ip6"]).flatmap(lambda family: st.tuples(rule_texts(family), st.just(family))))
def test_what_is_printed_is_read_back_as_the_same_rule(pair: tuple[str, str]) -> None:
    """parse(emit(x)) == x, and a canonical text is canonical."""
    text, family = pair
    try:
        rules = parse_rules(text, family)
    except RuleError:
        # Options of one match may come twice when two matches of one kind are drawn.
        return
    for rule in rules:
        if any(part in emit_rule(rule) for part in ("! --sport 0:65535", "! --dport 0:65535")):
            continue

        assert rule == parse_rule(emit_rule(rule), family)
        assert emit_rule(rule) == canonical(emit_rule(rule), family)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=80) | st.lists(st.sampled_from(
    ["-s", "-d", "-p", "tcp", "-m", "-j", "!", "--dport", "80", "mark", "--mark", "0x1", "set", "a", "src", "--match-set", "DNAT",
     "--to-destination", "1.2.3.4:80-90", "recent", "--set", "-i", "+", "--tcp-flags", "ALL", "statistic", "--probability", "u32",
     "--u32", "time", "--datestart", "2020", "hashlimit", "--hashlimit", "5/s", "string", "--hex-string", "|4", "icmp", "1e9", ":", "-"]
), max_size=10).map(" ".join))  # fmt: skip
def test_reading_raises_nothing_but_its_own_error(text: str) -> None:
    """A rule from anywhere is read or refused in words; its meaning is always something."""
    for family in ("ip", "ip6"):
        try:
            parse_rules(text, family)
        except RuleError as error:
            assert str(error)  # noqa: PT017
        lowered = lower_text(text, family)

        assert lowered.effect is not None


def test_a_text_that_cannot_be_read_may_match_and_do_anything() -> None:
    """Ignorance is never an absence."""
    lowered = lower_text("-m tcp --dport 80 --from-the-future 7", "ip")

    assert isinstance(lowered.effect, OpaqueTarget)
    assert [Opaque] == [type(condition) for condition in lowered.conditions]


def test_several_addresses_make_several_rules() -> None:
    """In the order in which iptables adds them: all destinations of a source, then the next source."""
    assert (
        "-s 1.0.0.1/32 -d 2.0.0.1/32 -j DROP",
        "-s 1.0.0.1/32 -d 2.0.0.2/32 -j DROP",
        "-s 1.0.0.2/32 -d 2.0.0.1/32 -j DROP",
        "-s 1.0.0.2/32 -d 2.0.0.2/32 -j DROP",
    ) == canonical_rules("-s 1.0.0.1,1.0.0.2 -d 2.0.0.1,2.0.0.2 -j DROP", "ip")
    with pytest.raises(RuleError, match="2 rules"):
        parse_rule("-s 1.0.0.1,1.0.0.2", "ip")


def test_words_that_a_shell_has_split_are_taken_as_they_are() -> None:
    """Quotes that are part of a word stay."""
    words = ("-m", "comment", "--comment", 'say "hi"', "-j", "ACCEPT")

    assert '-m comment --comment "say \\"hi\\"" -j ACCEPT' == emit_rule(parse_words(words, "ip")[0])


@pytest.mark.parametrize(
    "text", ["-s gateway.example -j DROP", "-p tcp --dport my-service", "-m owner --uid-owner istio-proxy"]
)
def test_what_only_the_node_knows_is_told_apart_from_mistakes(text: str) -> None:
    """A host name may be right, and nobody can say here what it means."""
    with pytest.raises(NodeDependentError):
        parse_rule(text, "ip")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-p tcp --dport 99999", "between 0 and 65535"),
        ("-s 10.0.0.0/33", "longer than an address"),
        ("--dport 80", "unknown option `--dport`"),
        ("-m conntrack --ctstate NEWISH", "`NEWISH` is not one of"),
        ("-j REJECT --reject-with tcp-reset", "`-p tcp`"),
        ("-j", "needs a value"),
        ("-m comment --comment 'a b'", "`b'` is not expected here"),
    ],
)
def test_refusals_say_what_is_wrong(text: str, words: str) -> None:
    """The user reads them at the line of his file."""
    with pytest.raises(RuleError) as caught:
        parse_rule(text, "ip")

    assert words in str(caught.value)


def test_a_rule_can_be_changed_and_printed() -> None:
    """Rules are values."""
    rule = parse_rule("-s 1.2.3.4 -p tcp --dport 80 -j ACCEPT", "ip")

    assert "-p tcp -m tcp --dport 80 -j ACCEPT" == emit_rule(replace(rule, source=None))


def test_importing_the_language_loads_no_extension() -> None:
    """A hundred files are read only when a rule names them."""
    script = "import sys, planner.netfilter.rule; print([m for m in sys.modules if m.startswith('planner.netfilter.matches.')])"
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert "[]" == printed.strip()

"""The reader of nft's language on texts that nobody meant."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.nft.apply import RefusalError, carry_out
from planner.nft.reader import read_commands
from planner.nft.rules import read_rule
from planner.nft.state import Recorded
from planner.nft.tokens import SyntaxMistakeError, tokens_of

RULES = [
    line.removeprefix("? ")
    for line in (Path(__file__).parents[1] / "kernel" / "nft_rules.txt").read_text().splitlines()
    if line and line[0] not in "#["
]
WORDS = sorted({word for rule in RULES for word in rule.split()} | set("{}()[];:,.@$!&|^/-*\"'=<>#\\"))
FILE = "table inet t {{\n\tset s {{ type ipv4_addr; }}\n\tchain a {{ }}\n\tchain c {{\n\t\ttype filter hook input priority 0; policy drop;\n\t\t{}\n\t}}\n}}\n"


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A rule with words taken out and put in."""
    words = draw(st.sampled_from(RULES)).split()
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(words)))
        if draw(st.booleans()):
            words.insert(at, draw(st.sampled_from(WORDS)))
        else:
            del words[at : at + 1]
    return " ".join(words)


@settings(max_examples=400, deadline=None)
@given(spoilt(), st.sampled_from(["inet", "ip", "ip6", "bridge"]))
def test_a_rule_is_read_refused_or_kept_as_it_is(text: str, family: str) -> None:
    """Whatever stands in it: never a crash, and never a rule without a word about what is not known."""
    try:
        rule = read_rule(list(tokens_of(text)), family)
    except SyntaxMistakeError:
        return
    assert bool(rule.unread or rule.refused) == any("unread" in one for one in rule.expr)


@settings(max_examples=200, deadline=None)
@given(st.lists(spoilt(), max_size=4))
def test_what_is_written_is_read_again(rules: list[str]) -> None:
    """The text that a file ends in is text of nft: reading it gives the same tables."""
    tables = Recorded("", "")
    try:
        carry_out(list(read_commands(FILE.format("\n\t\t".join(rules)))), tables)
    except (SyntaxMistakeError, RefusalError):
        return
    text, json_text = tables.text(), tables.json_text()
    again = Recorded(text, json_text)
    for key in again.names():
        again.table(key)

    assert (text, json_text) == (again.text(), again.json_text())

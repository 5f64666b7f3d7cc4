"""Commands as a person types them and as restore files hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.netfilter import command as c
from planner.netfilter.command import Command, CommandLine, parse_command
from planner.netfilter.problem import RuleError
from planner.netfilter.words import split_words


def first(text: str, family: str = "ip") -> Command:
    """The only command of a line."""
    (found,) = parse_command(split_words(text), family).commands
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("-A INPUT -p tcp --dport 80 -j ACCEPT", c.Append("INPUT", "-p tcp -m tcp --dport 80 -j ACCEPT")),
        ("--append INPUT", c.Append("INPUT", "")),
        ("-I INPUT -j DROP", c.Insert("INPUT", 1, "-j DROP")),
        ("-I INPUT 3 -j DROP", c.Insert("INPUT", 3, "-j DROP")),
        ("-w 5 -D INPUT -s 1.2.3.4 -j DROP", c.Delete("INPUT", "-s 1.2.3.4/32 -j DROP")),
        ("-D INPUT 7", c.DeleteAt("INPUT", 7)),
        ("-R INPUT 2 -j ACCEPT", c.Replace("INPUT", 2, "-j ACCEPT")),
        ("-C INPUT -j ACCEPT", c.Check("INPUT", "-j ACCEPT")),
        ("-N MINE", c.NewChain("MINE")),
        ("-X", c.DeleteChain("")),
        ("-F FORWARD", c.Flush("FORWARD")),
        ("-P FORWARD DROP", c.SetPolicy("FORWARD", "DROP")),
        ("--policy FORWARD ACCEPT", c.SetPolicy("FORWARD", "ACCEPT")),
        ("-E OLD NEW", c.RenameChain("OLD", "NEW")),
        ("-Z", c.Zero("")),
        ("-nvL INPUT", None),
        ("-v -n -L INPUT --line-numbers", c.Show("INPUT")),
        ("-p tcp -A INPUT -j DROP", c.Append("INPUT", "-p tcp -j DROP")),
        (
            '-A INPUT -m comment --comment "-A x" -j DROP',
            c.Append("INPUT", '-m comment --comment "-A x" -j DROP'),
        ),
    ],
)
def test_command(text: str, wanted: Command | None) -> None:
    """Each letter has one meaning; the rule in it is canonical."""
    if wanted is None:
        with pytest.raises(RuleError):
            first(text)
    else:
        assert wanted == first(text)


def test_the_table_is_filter_unless_named() -> None:
    """As in iptables(8)."""
    assert CommandLine("nat", (c.Flush(""),)) == parse_command(("-t", "nat", "-F"), "ip")
    assert CommandLine("raw", (c.Flush(""),)) == parse_command(("-F", "--table=raw"), "ip")
    assert "filter" == parse_command(("-F",), "ip").table


def test_a_list_of_addresses_is_a_list_of_commands() -> None:
    """iptables adds a rule for each."""
    line = parse_command(split_words("-A INPUT -s 1.1.1.1,2.2.2.2 -j DROP"), "ip")

    assert (
        c.Append("INPUT", "-s 1.1.1.1/32 -j DROP"),
        c.Append("INPUT", "-s 2.2.2.2/32 -j DROP"),
    ) == line.commands


def test_what_only_the_node_can_read_is_kept_as_written() -> None:
    """With the reason beside it."""
    line = parse_command(split_words("-A INPUT -s vpn.example.org -j DROP"), "ip")

    assert (c.Append("INPUT", "-s vpn.example.org -j DROP"),) == line.commands
    assert "host name" in line.unread


@pytest.mark.parametrize(
    "text",
    ["", "-j DROP", "-A", "-A INPUT -A OUTPUT", "-D INPUT 0", "-R INPUT -j DROP", "-P INPUT REJECT", "-N -x", "-t", "-F A B",
     "-A A_CHAIN_NAME_OF_MORE_THAN_28_LETTERS -j DROP", "-E ONE"],
)  # fmt: skip
def test_refused(text: str) -> None:
    """What iptables refuses."""
    with pytest.raises(RuleError):
        parse_command(split_words(text), "ip")


@given(
    st.lists(
        st.sampled_from(
            [
                "-A",
                "-I",
                "-D",
                "INPUT",
                "3",
                "-j",
                "DROP",
                "-t",
                "nat",
                "-w",
                "!",
                "-s",
                "1.2.3.4",
                "--comment",
                "-P",
                "",
                "-",
            ]
        )
        | st.text(max_size=5),
        max_size=8,
    )
)
def test_nothing_but_its_own_error(words: list[str]) -> None:
    """Whatever a script holds."""
    try:
        parse_command(tuple(words), "ip")
    except RuleError as error:
        assert str(error)  # noqa: PT017

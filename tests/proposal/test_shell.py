"""Change scripts are read command by command; what depends on the run is reported, never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.proposal.shell import NotUnderstood, Simple, read_script


def commands(text: str) -> list[tuple[str, ...]]:
    return [piece.words for piece in read_script(text) if isinstance(piece, Simple)]


def refused(text: str) -> list[tuple[int, str]]:
    return [(piece.line, piece.reason) for piece in read_script(text) if isinstance(piece, NotUnderstood)]


def test_quotes_continuations_and_comments() -> None:
    """Words are what the shell would pass on."""
    text = "iptables -A INPUT \\\n  -m comment --comment \"a 'b'; c\" -j DROP # why\nip route add 'x y'\n"

    assert [
        ("iptables", "-A", "INPUT", "-m", "comment", "--comment", "a 'b'; c", "-j", "DROP"),
        ("ip", "route", "add", "x y"),
    ] == commands(text)


def test_lines_are_those_where_the_command_begins() -> None:
    """The report names the line that the reviewer sees."""
    pieces = list(read_script("#!/bin/sh\n\nip link set \\\n eth0 up\n\nip rule add x\n"))

    assert [3, 6] == [piece.line for piece in pieces]


def test_literal_variables_are_expanded() -> None:
    """A value that the script itself sets is known; any other makes its command not understood."""
    assert [("ip", "link", "set", "eth0", "up")] == commands(
        "DEV=eth0\nip link set $DEV up\nip link set ${X} up\n"
    )
    assert [(3, "the value of `$X` is not known")] == refused(
        "DEV=eth0\nip link set $DEV up\nip link set ${X} up\n"
    )


def test_here_documents_are_the_input_of_their_command() -> None:
    """Quoted delimiters keep the text as it is."""
    text = "iptables-restore --noflush <<'EOF'\n*filter\n-A INPUT -j $X\nCOMMIT\nEOF\ntrue\n"
    first, second = read_script(text)

    assert isinstance(first, Simple)
    assert "*filter\n-A INPUT -j $X\nCOMMIT\n" == first.stdin
    assert 6 == second.line


def test_a_here_document_that_expands_the_unknown_is_not_understood() -> None:
    """Its text is only known when the script runs."""
    assert 1 == len(refused("iptables-restore <<EOF\n-A INPUT -s $IP -j DROP\nEOF\n"))


@pytest.mark.parametrize(
    "text",
    [
        "if true; then iptables -F; fi\n",
        "for i in a b; do iptables -D X; done\n",
        "while read x; do ip link del $x; done < file\n",
        "f() {\n iptables -F\n}\n",
        "iptables-save | grep -v KUBE | iptables-restore\n",
        "( iptables -F )\n",
        "iptables -A INPUT -s $(hostname -i) -j DROP\n",
        "iptables -A INPUT -s `hostname -i` -j DROP\n",
        "iptables -A 'unclosed\n",
        "cat <<EOF\nno end\n",
        "case $1 in a) iptables -F;; esac\n",
    ],
)
def test_what_depends_on_the_run_is_one_gap_and_no_command(text: str) -> None:
    """Nothing inside is taken for a command that runs, and what follows is read on."""
    assert [] == commands(text)
    assert 1 == len(refused(text))
    if not text.startswith(("iptables -A 'un", "cat <<")):
        assert [("ip", "link")] == commands(text + "ip link\n")


def test_conditions_are_kept() -> None:
    """`a || b` tells that b depends on a."""
    first, second = read_script("iptables -C INPUT -j X || iptables -A INPUT -j X\n")

    assert isinstance(first, Simple)
    assert isinstance(second, Simple)
    assert ("", "||") == (first.follows, second.follows)


def test_redirections_are_no_words() -> None:
    """A descriptor right before the arrow belongs to it; a word before a blank does not."""
    (piece,) = read_script("echo 1 > /proc/sys/net/ipv4/ip_forward 2>/dev/null\n")

    assert isinstance(piece, Simple)
    assert (("echo", "1"), "/proc/sys/net/ipv4/ip_forward") == (piece.words, piece.output_file)


@given(st.text(alphabet=st.sampled_from("ab $\"'`\\\n;|&()<>{}#=if doneEOF"), max_size=60))
def test_any_text_is_read_without_a_crash(text: str) -> None:
    """Every piece has a line of the text."""
    last = text.count("\n") + 1
    for piece in read_script(text):
        assert 1 <= piece.line <= last

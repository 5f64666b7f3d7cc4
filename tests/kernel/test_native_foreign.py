"""What others change in nft tables between a change and its way back: theirs stays, ours is taken back, and only the very same is named."""

from pathlib import Path

import pytest
from namespace import Namespace
from test_native_plan import Played
from test_native_transactions import load, unlike

SHELLS = pytest.mark.parametrize("shell", [("dash",), ("busybox", "sh")], ids=["dash", "busybox"])


def rule(letter: str) -> str:
    """A rule that is told by a letter, with words in it that look like what nft prints around rules."""
    return f"ip saddr 10.0.0.{ord(letter)} counter accept comment \"{letter} # handle 7, {{ 'q'; }}\""


def table(rules: str, *, policy: str = "accept", more: str = "") -> str:
    """A table with a chain of these rules."""
    lines = "".join(f"  {rule(letter)}\n" for letter in rules)
    return f"table inet fw {{\n{more} chain c {{ type filter hook input priority 0; policy {policy};\n{lines} }}\n}}\n"


def letters(node: Namespace, title: str = "inet fw") -> str:
    """The rules of the chain by their letters."""
    lines = node.sh(f"nft list chain {title} c").splitlines()
    return "".join(line.partition('comment "')[2][0] for line in lines if "comment" in line)


def policy(node: Namespace) -> str:
    return node.sh("nft list chain inet fw c | sed -n 's/.*policy \\([a-z]*\\);.*/\\1/p'").strip()


def changed(
    node: Namespace, directory: Path, before: str, after: str, shell: tuple[str, ...] = ("sh",)
) -> Played:
    """The change has been applied."""
    played = Played.on(node, directory, before, after, shell)
    assert 0 == (applied := played.run("apply.sh"))[0], applied[1]
    return played


def written(node: Namespace, rules: str) -> None:
    """Somebody else leaves the chain so."""
    text = "flush chain inet fw c\n" + "".join(f"add rule inet fw c {rule(letter)}\n" for letter in rules)
    done = node.run(["nft", "-f", "-"], stdin=text, check=False)
    assert 0 == done.returncode, done.stderr


@SHELLS
def test_the_timer_opens_a_chain_again_in_which_somebody_has_added_a_rule(
    node: Namespace, tmp_path: Path, shell: tuple[str, ...]
) -> None:
    """Policy and rules of the change go; the foreign rule stays with its count."""
    played = changed(node, tmp_path, table("ab"), table("Xab", policy="drop"), shell)
    node.sh("nft add rule inet fw c counter packets 7 bytes 77 comment y")
    assert ("drop", "Xaby") == (policy(node), letters(node))

    back = played.run("rollback.sh", "--unattended")

    assert 0 == back[0], log(played)
    assert ("accept", "aby") == (policy(node), letters(node))
    assert "counter packets 7 bytes 77" in played.tables
    assert "nothing to take back" in played.run("rollback.sh")[1]


def log(played: Played) -> str:
    return "".join(path.read_text() for path in played.directory.glob("*/log"))


PLAIN = {
    "theirs behind ours at the end": ("ab", "abX", "abXy", "aby"),
    "theirs before ours at the end": ("ab", "abX", "abyX", "aby"),
    "theirs on top of ours": ("ab", "Xab", "yXab", "yab"),
    "theirs far from a rule that was deleted": ("abc", "ac", "acy", "abcy"),
    "theirs at the end, where the last rule was deleted": ("abc", "ab", "aby", "abcy"),
    "theirs at the top, where the first rule was deleted": ("abc", "bc", "ybc", "yabc"),
    "theirs behind a rule that was replaced": ("abc", "aXc", "aXyc", "abyc"),
    "theirs before a rule that was replaced": ("abc", "aXc", "ayXc", "aybc"),
    "a rule that was moved": ("abc", "bca", "bcay", "abcy"),
    "rules in many places": ("abcdef", "aXcdYZf", "yaXcdYZfz", "yabcdefz"),
    "several rules of theirs among several of ours": ("ab", "aXYb", "aXyYzb", "ayzb"),
    "several rules that come back": ("abcdef", "af", "afy", "abcdefy"),
    "somebody has deleted ours": ("ab", "abX", "ab", "ab"),
    "somebody has deleted ours and added theirs": ("ab", "abX", "aby", "aby"),
    "somebody has deleted a neighbour": ("abcde", "abde", "abey", "abcey"),
    "somebody has put back what was deleted": ("abc", "ac", "abcy", "abcy"),
    "somebody has flushed the chain to which we had added": ("ab", "abX", "", ""),
    "equal rules, of which one is ours": ("aba", "abaX", "abaXy", "abay"),
}


@pytest.mark.parametrize("case", PLAIN)
def test_what_is_ours_is_taken_back_around_what_is_theirs(node: Namespace, tmp_path: Path, case: str) -> None:
    """A rollback by hand does not stop for rules beside ours: they keep their place, and ours are as before."""
    before, after, found, wanted = PLAIN[case]
    played = changed(node, tmp_path, table(before), table(after))
    written(node, found)

    back = played.run("rollback.sh")

    assert 0 == back[0], back[1]
    assert wanted == letters(node)
    assert "nothing to take back" in played.run("rollback.sh")[1]


UNCLEAR = {
    "theirs where one was deleted": ("abc", "ac", "ayc", "abyc", "it can only be guessed"),
    "theirs in a chain that we had emptied": ("abc", "", "y", "abcy", "it can only be guessed"),
    "theirs among rules that took the place of one": (
        "abc",
        "aXYc",
        "aXyYc",
        "abyc",
        "it can only be guessed",
    ),
    "somebody has deleted what took its place": ("abc", "aXc", "acy", "acy", "is not there any more"),
    "somebody has written the same rule again": ("ab", "abX", "abXX", "abXX", "more than once"),
    "somebody has put some of them back": ("abcd", "ad", "abdy", "abdy", "some are back"),
    "all neighbours are gone": ("abc", "ac", "xyz", "xyz", "none of the rules around it"),
    "another order": ("abcd", "abXcd", "cdXaby", "cdXaby", "another order"),
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_what_is_not_plain_stops_a_rollback_by_hand(node: Namespace, tmp_path: Path, case: str) -> None:
    """It is named, and nothing is changed. Unattended, an order is guessed so that what worked works again; a rule that
    somebody else has changed is left."""
    before, after, found, wanted, sentence = UNCLEAR[case]
    played = changed(node, tmp_path, table(before), table(after))
    written(node, found)

    refused = played.run("rollback.sh")
    assert 3 == refused[0]
    assert sentence in refused[1]
    assert "chain c of table inet fw" in refused[1]
    assert found == letters(node)

    assert (3 if wanted == found else 0) == played.run("rollback.sh", "--unattended")[0]
    assert wanted == letters(node)


def test_the_rest_goes_back_around_what_is_left(node: Namespace, tmp_path: Path) -> None:
    """The timer leaves the rule that was written twice, and takes back the policy, the other rule and the element."""
    sets = " set s { type inet_service; elements = { %s }\n }\n"
    played = changed(
        node,
        tmp_path,
        table("ab", more=sets % "22"),
        table("abX", policy="drop", more=sets % "22, 80") + MORE,
    )
    written(node, "abXX")

    assert 3 == played.run("rollback.sh")[0]
    assert ("drop", "abXX") == (policy(node), letters(node))
    assert 3 == played.run("rollback.sh", "--unattended")[0]
    assert ("accept", "abXX") == (policy(node), letters(node))
    assert "elements = { 22 }" in played.tables
    assert "table ip" not in played.tables
    assert "a rule of the step stands there more than once" in log(played)


MORE = "table ip more {\n chain x {\n accept\n }\n}\n"
SETS = {
    "theirs beside ours": ("1.1.1.1", "1.1.1.1, 2.2.2.2", "add {e} 9.9.9.9 {f}", "1.1.1.1, 9.9.9.9", ""),
    "they delete ours": ("1.1.1.1", "1.1.1.1, 2.2.2.2", "delete {e} 2.2.2.2 {f}", "1.1.1.1", ""),
    "they put back": (
        "1.1.1.1, 2.2.2.2",
        "1.1.1.1",
        "add {e} 2.2.2.2, 9.9.9.9 {f}",
        "1.1.1.1, 2.2.2.2, 9.9.9.9",
        "",
    ),
    "they delete another": ("1.1.1.1", "1.1.1.1, 2.2.2.2", "delete {e} 1.1.1.1 {f}", "", ""),
    "the very same with other words": (
        "1.1.1.1",
        "1.1.1.1, 2.2.2.2",
        'delete {e} 2.2.2.2 {f}; add {e} 2.2.2.2 comment "a : b, c" {f}',
        '1.1.1.1, 2.2.2.2 comment "a : b, c"',
        "written an element otherwise",
    ),
}


@pytest.mark.parametrize("case", SETS)
@pytest.mark.parametrize("flags", ["", "flags interval;"])
def test_elements_beside_ours_stay(node: Namespace, tmp_path: Path, case: str, flags: str) -> None:
    """Only the very same element is left and named; forced, it goes as well."""
    before, after, doing, wanted, sentence = SETS[case]

    def text(elements: str) -> str:
        return f"table inet fw {{\n set s {{ type ipv4_addr; {flags} elements = {{ {elements} }}\n }}\n}}\n"

    played = changed(node, tmp_path, text(before), text(after))
    doing = doing.replace("{e}", "element inet fw s {").replace("{f}", "}")
    done = node.run(["nft", "-f", "-"], stdin=doing.replace("; ", "\n"), check=False)
    assert 0 == done.returncode, done.stderr

    status, words = played.run("rollback.sh")

    assert (3 if sentence else 0) == status, words
    assert sentence in words
    assert wanted == elements_of(played)
    if sentence:
        assert 3 == played.run("rollback.sh", "--unattended")[0]
        assert wanted == elements_of(played)
        assert 0 == played.run("rollback.sh", "--force")[0]
        assert before == elements_of(played)


def elements_of(played: Played) -> str:
    """Of the only set."""
    found = played.tables.partition("elements = {")[2].partition("}")[0]
    return " ".join(found.split())


INTERVALS = {
    "ours lies in theirs": (
        "",
        "10.0.0.0/25",
        "delete 10.0.0.0/25; add 10.0.0.0/24",
        "10.0.0.0/24",
        "lies in one of others",
    ),
    "ours was joined with theirs": (
        "",
        "10.0.0.0/25",
        "add 10.0.0.128/25",
        "10.0.0.0/24",
        "lies in one of others",
    ),
    "what comes back lies in theirs": ("10.0.0.0/25", "", "add 10.0.0.0/24", "10.0.0.0/24", ""),
    "ours was replaced by a larger one": (
        "10.0.2.1",
        "10.0.2.0/30",
        "add 10.9.0.0/16",
        "10.0.2.1, 10.9.0.0/16",
        "",
    ),
    "ours was replaced by a smaller one": (
        "10.0.2.0/30",
        "10.0.2.1",
        "add 10.9.0.0/16",
        "10.0.2.0/30, 10.9.0.0/16",
        "",
    ),
}


@pytest.mark.parametrize("case", INTERVALS)
def test_an_interval_of_others_may_hold_ours(node: Namespace, tmp_path: Path, case: str) -> None:
    """What the set holds counts: what is to come back and is held by theirs is there; whose a part of theirs is, nobody can tell."""
    before, after, doing, wanted, sentence = INTERVALS[case]

    def text(elements: str) -> str:
        line = f"elements = {{ {elements} }}" if elements else ""
        return f"table inet fw {{\n set s {{ type ipv4_addr; flags interval; auto-merge; {line}\n }}\n}}\n"

    played = changed(node, tmp_path, text(before), text(after))
    for one in doing.split("; "):
        verb, _, element = one.partition(" ")
        node.sh(f"nft {verb} element inet fw s '{{ {element} }}'")

    status, words = played.run("rollback.sh")

    assert (3 if sentence else 0) == status, words
    assert sentence in words
    assert wanted == elements_of(played)


OVERLAPS = {
    "intervals": ("ipv4_addr", ("10.0.0.0/25", "10.7.0.0/16"), "10.0.0.64/26"),
    "intervals of pairs": (
        "ipv4_addr . inet_service",
        ("10.0.0.0/25 . 80-90", "10.7.0.0/16 . 1"),
        "10.0.0.64/26 . 85-95",
    ),
}


@pytest.mark.parametrize("case", OVERLAPS)
def test_an_interval_of_others_may_stand_in_the_way(node: Namespace, tmp_path: Path, case: str) -> None:
    """By hand it stops before anything is changed. The timer brings back the other one, and the policy of the same table."""
    sort, (first, other), theirs = OVERLAPS[case]

    def text(elements: str, policy: str) -> str:
        line = f"elements = {{ {elements} }}" if elements else ""
        return table("a", policy=policy, more=f" set s {{ type {sort}; flags interval; {line}\n }}\n")

    played = changed(node, tmp_path, text(f"{first}, {other}", "accept"), text("", "drop"))
    node.sh(f"nft add element inet fw s '{{ {theirs} }}'")

    refused = played.run("rollback.sh")
    assert 3 == refused[0]
    assert f"overlaps with those of others: {first}" in refused[1]
    assert ("drop", theirs) == (policy(node), elements_of(played))

    assert 3 == played.run("rollback.sh", "--unattended")[0]
    assert ("accept", f"{theirs}, {other}") == (policy(node), elements_of(played))


WHOLE = {
    "a chain on a hook": (
        "chain x { type filter hook input priority 7; policy drop;\n tcp dport 1 accept\n }",
        "nft add rule inet fw x tcp dport 2 accept",
        "chain x {\n\t\ttype filter hook input priority filter + 7; policy accept;\n\t\ttcp dport 2 accept\n\t}",
    ),
    "a chain that a rule of others leads to": (
        "chain x {\n tcp dport 1 accept\n }",
        "nft add rule inet fw c jump x",
        "chain x {\n\t}",
    ),
    "a set that a rule of others names": (
        "set x { type ipv4_addr; elements = { 1.1.1.1 }\n }",
        "nft add rule inet fw c ip saddr @x drop",
        "set x {\n\t\ttype ipv4_addr\n\t}",
    ),
    "a set with an element of others": (
        "set x { type ipv4_addr; elements = { 1.1.1.1 }\n }",
        "nft add element inet fw x '{ 2.2.2.2 }'",
        "set x {\n\t\ttype ipv4_addr\n\t\telements = { 2.2.2.2 }\n\t}",
    ),
    "a counter that a rule of others names": (
        "counter x {\n packets 0 bytes 0\n }",
        "nft add rule inet fw c counter name x",
        "counter x {\n\t\tpackets 0 bytes 0\n\t}",
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_what_the_change_made_stays_while_others_use_it(node: Namespace, tmp_path: Path, case: str) -> None:
    """Without what the change has put into it, and without its policy to drop."""
    thing, doing, wanted = WHOLE[case]
    played = changed(node, tmp_path, table("ab"), table("aXb", more=f" {thing}\n"))
    node.sh(doing)

    assert 0 == (back := played.run("rollback.sh"))[0], back[1]
    assert "ab" == letters(node)
    assert wanted in played.tables
    assert "nothing to take back" in played.run("rollback.sh")[1]


AGAIN = {
    "another priority": ("hook input priority 0", "hook input priority 9"),
    "another hook": ("hook input priority 0", "hook forward priority 0"),
    "no hook": ("type filter hook input priority 0; policy accept;", ""),
    "another comment of the table": ("table inet fw {", 'table inet fw { comment "other"'),
    "another type of a set": (
        "type inet_service; elements = { 22 }",
        "type inet_service; flags interval; elements = { 1-9 }",
    ),
}


@pytest.mark.parametrize("way", ["forth", "back"])
@pytest.mark.parametrize("case", AGAIN)
def test_what_has_to_be_made_anew_keeps_what_is_theirs(
    node: Namespace, tmp_path: Path, case: str, way: str
) -> None:
    """Rules with their counts and elements with their times are written again around it, in the same transaction."""
    start = table(
        "ab",
        more=" set s { type inet_service; elements = { 22 }\n }\n set o { type ipv4_addr; timeout 1h; }\n",
    )
    other = start.replace(*AGAIN[case])
    assert start != other
    sides = (start, other) if way == "forth" else (other, start)
    played = changed(node, tmp_path, *sides)
    node.sh(
        "nft add rule inet fw c tcp dport @s counter packets 7 bytes 77 comment y; nft add element inet fw o '{ 9.9.9.9 }'; "
        "nft add chain inet fw theirs; nft add rule inet fw theirs tcp dport @s counter packets 8 bytes 88"
    )

    assert 0 == (back := played.run("rollback.sh"))[0], back[1]
    with Namespace() as twin:
        load(twin, sides[0])
        twin.sh(
            "nft add rule inet fw c tcp dport @s counter comment y; nft add element inet fw o '{ 9.9.9.9 }'; "
            "nft add chain inet fw theirs; nft add rule inet fw theirs tcp dport @s counter"
        )
        assert [] == unlike(twin.sh("nft list ruleset"), played.tables)
    assert "counter packets 7 bytes 77" in played.tables
    assert "counter packets 8 bytes 88" in played.tables
    assert "9.9.9.9" in played.tables


def test_a_line_break_in_a_comment_is_not_taken_for_a_rule(node: Namespace, tmp_path: Path) -> None:
    """What somebody has written so that a listing cannot be told line by line is left, and named."""
    played = changed(node, tmp_path, table("ab"), table("aXb"))
    text = 'add rule inet fw c accept comment "x\n\t\tdrop # handle 4"\n'
    assert 0 == node.run(["nft", "-f", "-"], stdin=text, check=False).returncode
    there = played.tables

    refused = played.run("rollback.sh")

    assert 3 == refused[0]
    assert "there is a line break in a comment of table inet fw" in refused[1]
    assert 3 == played.run("rollback.sh", "--unattended")[0]
    assert there == played.tables


def test_what_cannot_be_read_is_not_taken_for_absent(node: Namespace, tmp_path: Path) -> None:
    """A tool that fails tells nothing: the rollback stops, and does not claim that the rules are gone."""
    played = changed(node, tmp_path, table("ab"), table("abX"))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "nft").write_text("#!/bin/sh\nexit 1\n")
    (tools / "nft").chmod(0o755)

    argv = ["env", f"PATH={tools}:/usr/sbin:/usr/bin:/sbin:/bin", f"NETCHANGE_STATE={tmp_path}"]
    refused = node.run([*argv, "sh", str(tmp_path / "rollback.sh")], check=False)

    assert 3 == refused.returncode
    assert "nft does not tell the rules of table inet fw" in refused.stderr
    assert "abX" == letters(node)
    assert 0 == played.run("rollback.sh")[0]


@SHELLS
def test_somebody_writes_at_this_very_moment(node: Namespace, tmp_path: Path, shell: tuple[str, ...]) -> None:
    """Between the listing and the transaction a rule of the step is deleted: its handle is refused, and it is looked at again."""
    changed(node, tmp_path, table("ab"), table("aXbY"), shell)
    written(node, "aXbYz")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "nft").write_text(
        f'#!/bin/sh\nif [ "$1" = -f ] && [ ! -e {tmp_path}/done ]; then\n  : >{tmp_path}/done\n'
        "  h=$(/usr/sbin/nft -a list chain inet fw c | sed -n 's/.*comment \"X.* # handle //p')\n"
        '  /usr/sbin/nft delete rule inet fw c handle "$h"\nfi\nexec /usr/sbin/nft "$@"\n'
    )
    (tools / "nft").chmod(0o755)

    argv = ["env", f"PATH={tools}:/usr/sbin:/usr/bin:/sbin:/bin", f"NETCHANGE_STATE={tmp_path}", *shell]
    back = node.run([*argv, str(tmp_path / "rollback.sh")], check=False)

    assert (tmp_path / "done").exists()
    assert 0 == back.returncode, back.stderr
    assert "abz" == letters(node)


OWNED = {
    "another rule than the one we took away": ("pq", "q", "rs", "rs", 3),
    "the one that we took away is not among the new ones": ("pq", "q", "qr", "qr", 3),
    "the one that we took away is among the new ones": ("pq", "q", "pqr", "pqr", 0),
    "the one that we had added is not among the new ones": ("pq", "pqX", "rs", "rs", 0),
    "the one that we had added is still there": ("pq", "pqX", "rXs", "rs", 0),
}


@pytest.mark.parametrize("case", OWNED)
def test_a_chain_that_its_owner_has_written_again_gets_no_old_rules(
    node: Namespace, tmp_path: Path, case: str
) -> None:
    """kube-proxy writes its table whole: what it has left out since would lead to endpoints that are gone."""
    before, after, found, wanted, status = OWNED[case]

    def theirs(rules: str) -> str:
        return table(rules).replace("inet fw", "inet kube-proxy")

    played = changed(node, tmp_path, theirs(before), theirs(after))
    node.run(["nft", "-f", "-"], stdin=f"flush chain inet kube-proxy c\n{theirs(found)}")

    assert status == played.run("rollback.sh")[0]
    assert wanted == letters(node, "inet kube-proxy")
    assert status == played.run("rollback.sh", "--unattended")[0]
    assert wanted == letters(node, "inet kube-proxy")

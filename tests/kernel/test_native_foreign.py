"""What others change in nft tables between a change and its way back: theirs stays, ours is taken back, and only the very same is named."""

from pathlib import Path

import pytest
from namespace import Namespace
from test_native_plan import Played

SHELLS = pytest.mark.parametrize("shell", [("dash",), ("busybox", "sh")], ids=["dash", "busybox"])


def rule(letter: str) -> str:
    """A rule that is told by a letter, with words in it that look like what nft prints around rules."""
    return f"ip saddr 10.0.0.{ord(letter)} counter accept comment \"{letter} # handle 7, {{ 'q'; }}\""


def table(rules: str, *, policy: str = "accept", more: str = "") -> str:
    """A table with a chain of these rules."""
    lines = "".join(f"  {rule(letter)}\n" for letter in rules)
    return f"table inet fw {{\n{more} chain c {{ type filter hook input priority 0; policy {policy};\n{lines} }}\n}}\n"


def letters(node: Namespace) -> str:
    """The rules of the chain by their letters."""
    lines = node.sh("nft list chain inet fw c").splitlines()
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

"""Transactions between native nft tables, in the kernel: forth, and back in both manners."""

import pytest
from namespace import Namespace
from native_tables import BASE, CHANGES

from planner.diff.native import native_tables, same_table
from planner.emit.nft import transaction
from planner.parse.nft_tables import nft_tables


def load(node: Namespace, text: str) -> str:
    """The rule set as it is printed when this has been loaded into an empty one."""
    done = node.run(["nft", "-f", "-"], stdin=f"flush ruleset\n{text}")
    assert 0 == done.returncode, done.stderr
    return node.sh("nft list ruleset")


def unlike(expected: str, found: str) -> list[str]:
    """Tables that are not the same."""
    wanted, there = native_tables(expected), native_tables(found)
    return [
        title
        for title in sorted({*wanted, *there})
        if title not in wanted or title not in there or not same_table(wanted[title], there[title])
    ]


@pytest.mark.parametrize("name", CHANGES)
def test_there_and_back(node: Namespace, name: str) -> None:
    """The kernel takes the text, and what it prints afterwards is the other state; and back."""
    after = load(node, CHANGES[name])
    before = load(node, BASE)
    for have, want in ((before, after), (after, before)):
        text = transaction(nft_tables(have), nft_tables(want))
        done = node.run(["nft", "-f", "-"], stdin=text)

        assert 0 == done.returncode, done.stderr + text
        assert [] == unlike(want, node.sh("nft list ruleset"))


def test_a_table_that_the_change_made_is_emptied_and_stays(node: Namespace) -> None:
    """Somebody else may have put something into it."""
    before = load(node, "")
    after = load(node, BASE)
    node.sh("nft add chain inet fw foreign; nft add rule inet fw foreign tcp dport 1 drop")
    text = transaction(nft_tables(after), nft_tables(before), keep_tables=True)

    done = node.run(["nft", "-f", "-"], stdin=text)

    assert 0 == done.returncode, done.stderr + text
    left = nft_tables(node.sh("nft list ruleset"))
    assert {("chain", "foreign")} == set(left["inet fw"].objects)
    assert {} == dict(left["bridge br"].objects)


def test_what_does_not_differ_is_not_touched(node: Namespace) -> None:
    """Counters of other chains, and elements that packets have added, are what they were."""
    before = load(node, BASE)
    after = load(node, CHANGES["elements"])
    load(node, BASE)
    node.sh("nft add element inet fw dyn '{ 9.9.9.9 }'; nft add chain inet fw foreign")
    node.run(["nft", "-f", "-"], stdin=transaction(nft_tables(before), nft_tables(after)))

    fw = nft_tables(node.sh("nft list ruleset"))["inet fw"]
    assert {"1.2.3.4", "9.9.9.9"} == set(fw.of("set")["dyn"].body)
    assert "foreign" in fw.of("chain")

"""`ipset save`: what holds stays, what counts or runs down does not."""

import os
from pathlib import Path

import pytest

from planner.models.ruleset import IpSet
from planner.parse.ipset_save import parse_ipset_save

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
REAL = sorted((DATA / "real" / "peer-tests").glob("ipset-*/*"))


def test_counters_remaining_times_and_seeds_are_left_out():
    """They differ at every look; a comment with such words in it does not."""
    text = (
        "create a hash:ip family inet hashsize 1024 maxelem 65536 timeout 300 counters comment bucketsize 12 initval 0x12\n"
        'add a 10.0.0.2 timeout 299 packets 4 bytes 9 comment "timeout 5 packets 6"\n'
        "add a 10.0.0.1 timeout 0\n"
        "create e hash:net family inet6 hashsize 64 maxelem 9\n"
    )

    assert (
        IpSet(
            name="a",
            type="hash:ip",
            options="family inet hashsize 1024 maxelem 65536 timeout 300 counters comment bucketsize 12",
            elements=("10.0.0.1 timeout 0", '10.0.0.2 comment "timeout 5 packets 6"'),
        ),
        IpSet(name="e", type="hash:net", options="family inet6 hashsize 64 maxelem 9"),
    ) == parse_ipset_save(text)[0]
    assert () == parse_ipset_save(text)[1]


def test_a_list_of_sets_keeps_its_order():
    """Its members are tried one after the other."""
    sets, _ = parse_ipset_save("create l list:set size 8\nadd l z\nadd l a\n")

    assert ("z", "a") == sets[0].elements


def test_an_element_named_like_an_option_stays():
    """A set in a list may be called `timeout`."""
    sets, _ = parse_ipset_save("create l list:set size 8\nadd l timeout timeout 7\n")

    assert ("timeout",) == sets[0].elements


def test_lines_that_are_none_are_gaps():
    """An element of a set that was not created, and a word of the tool."""
    sets, gaps = parse_ipset_save("add lost 10.0.0.1\nipset v7.10: Kernel and userspace incompatible\n\n")

    assert () == sets
    assert ["ipset", "ipset"] == [gap.section for gap in gaps]


@pytest.mark.skipif(not REAL, reason="no real inputs")
def test_real_saves_are_read_whole():
    """What others' nodes and tests print."""
    read = 0
    for path in REAL:
        text = path.read_text(errors="replace") if path.is_file() else ""
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines or not all(line.startswith(("create ", "add ")) for line in lines):
            continue
        sets, gaps = parse_ipset_save(text)
        adds = sum(line.startswith("add ") for line in lines)

        assert () == gaps, path
        assert adds == sum(len(one.elements) for one in sets), path
        read += 1
    assert read

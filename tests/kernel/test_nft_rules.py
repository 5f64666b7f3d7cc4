"""What nft prints of a rule after loading it, against what this project says that it will print."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from namespace import Namespace

from planner.nft.rules import Rule, read_rule
from planner.nft.tokens import tokens_of
from planner.parse.native import native_json, read_items

pytestmark = pytest.mark.kernel
TABLES = """
table inet f {
	set s4 { type ipv4_addr; flags interval; }
	set dyn { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 60s; }
	map m { type inet_service : verdict; }
	map pm { type inet_service : ipv4_addr; }
	chain a { }
	chain b { }
	chain in { type filter hook input priority filter; }
	chain pre { type nat hook prerouting priority dstnat; }
	chain post { type nat hook postrouting priority srcnat; }
}
table ip g {
	chain in { type filter hook input priority 10; }
	chain post { type nat hook postrouting priority srcnat; }
}
"""
ALONE = re.compile(r"\{ [^,{}]+ \}")
"""A set of one element: nft prints one that it has joined itself, and would not take it in again as a set."""
COUNTED = re.compile(r"counter packets \d+ bytes \d+")


def written() -> Iterator[tuple[str, str, str, bool]]:
    """Family, chain, rule, and whether all of it is read."""
    where = ("", "")
    for line in (Path(__file__).parent / "nft_rules.txt").read_text().splitlines():
        if line.startswith("["):
            family, chain = line[1:-1].split()
            where = family, chain
        elif line and not line.startswith("#"):
            yield *where, line.removeprefix("? "), not line.startswith("? ")


@pytest.fixture(scope="module")
def printed() -> list[tuple[str, list[object], str]]:
    """Of each rule the line, the expressions and the comment that nft prints."""
    found = []
    with Namespace() as ns:
        ns.run(["nft", "-f", "-"], stdin=TABLES)
        text = "".join(
            f"add rule {'inet f' if family == 'inet' else 'ip g'} {chain} {rule}\n"
            for family, chain, rule, _ in written()
        )
        ns.run(["nft", "-f", "-"], stdin=text)
        for table in ("inet f", "ip g"):
            lines = [
                line.strip()
                for line in ns.run(["nft", "list", "table", *table.split()]).stdout.split("\n")
                if line.startswith("\t\t") and " hook " not in line
            ]
            items = json.loads(
                native_json(read_items(ns.run(["nft", "-j", "list", "table", *table.split()]).stdout), ())
            )
            rules = [one["rule"] for one in items["nftables"] if "rule" in one]
            found += zip(lines[-len(rules) :], rules, strict=True)
    order = {
        ("inet", "in"): [],
        ("inet", "pre"): [],
        ("inet", "post"): [],
        ("ip", "in"): [],
        ("ip", "post"): [],
    }
    for line, rule in found:
        order[rule["family"], rule["chain"]].append((line, rule["expr"], rule.get("comment", "")))
    queues = {where: iter(rules) for where, rules in order.items()}
    return [next(queues[family, chain]) for family, chain, _, _ in written()]


def known() -> Iterator[tuple[int, Rule]]:
    """Rules that are read to the last word, with their place in the list."""
    for place, (family, _, rule, whole) in enumerate(written()):
        if whole:
            yield place, read_rule(list(tokens_of(rule)), family)


def test_rules_are_what_nft_prints(printed: list[tuple[str, list[object], str]]) -> None:
    """The line of `nft list ruleset`, and the expressions of `nft -j list ruleset`."""
    wrong = [
        (COUNTED.sub("counter packets 0 bytes 0", printed[place][0]), rule.text)
        for place, rule in known()
        if (COUNTED.sub("counter packets 0 bytes 0", printed[place][0]), printed[place][1:])
        != (rule.text, (json.loads(json.dumps(rule.expr)), rule.comment))
    ]

    assert [] == wrong


def test_what_nft_prints_is_read_as_what_it_says(printed: list[tuple[str, list[object], str]]) -> None:
    """Reading the canonical line again gives the same line."""
    families = [family for family, _, _, _ in written()]
    wrong = [
        (line, again.text)
        for place, _ in known()
        if (
            not ALONE.search(printed[place][0])
            and (line := COUNTED.sub("counter packets 0 bytes 0", printed[place][0]))
            != (again := read_rule(list(tokens_of(line)), families[place])).text
        )
        or again.unread
    ]

    assert [] == wrong


def test_what_is_not_read_is_marked() -> None:
    """A word that nft knows and this project does not: never a mistake, never left out."""
    for family, _, rule, whole in written():
        found = read_rule(list(tokens_of(rule)), family)
        assert whole == (not found.unread), rule
        assert not found.refused, rule
        assert whole or any("unread" in one for one in found.expr), rule

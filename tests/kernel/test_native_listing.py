"""A listing of nft taken apart by the rollback's shell and by the reader of snapshots: both must see the same rules and elements."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from namespace import Namespace
from native_tables import BASE, NETDEV

from planner.parse.nft_tables import NftTable, nft_tables
from planner.plan.native_parts import one_line
from planner.plan.script_native import stilled

REAL = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "real"
LIBRARY = Path(__file__).parents[2] / "planner" / "plan" / "parts_nft.sh"
SHELLS = (("dash",), ("busybox", "sh"))
AWKWARD = """table inet q {
	comment "t # handle 1 {"
	set e { type ipv4_addr; flags timeout; elements = { 1.1.1.1 timeout 1h comment "a, b }", 2.2.2.2 comment "{ c", 3.3.3.3 } }
	set long { type inet_service; elements = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 } }
	map v { type ipv4_addr . inet_service : verdict; elements = { 1.1.1.1 . 1 comment "x : y" : jump c, 2.2.2.2 . 2 : drop } }
	chain c {
		comment "c # handle 2"
		log prefix "elements = { 1, 2 }"
		accept comment "}"
		drop comment "jump {"
		tcp dport { 1, 2 } counter packets 5 bytes 6 comment "counter packets 1 bytes 2 # handle 9"
		goto {
			accept comment "; }"
		}
	}
}
"""


def flattened(shell: tuple[str, ...], listing: str) -> list[str]:
    """The lines of `flatten`, without counts and times."""
    library = re.sub(r"(?s)\n# What is told of things.*", "\n", LIBRARY.read_text())
    script = f"{library}\n{stilled()}\nstilled | flatten"
    return subprocess.run(
        [*shell, "-c", script], input=listing, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def told(table: NftTable) -> list[str]:
    """The same of the reader."""
    lines = [f"table\th\t{line}" for line in table.head]
    for (kind, name), one in table.objects.items():
        place = f"{kind} {name}"
        tag = "r" if kind == "chain" else "e"
        lines += [f"{place}\to\t", *(f"{place}\th\t{line}" for text in one.head for line in text.split("\n"))]
        lines += [f"{place}\t{tag}\t{one_line(text)}" for text in one.body]
    return lines


def compared(node: Namespace, shell: tuple[str, ...]) -> int:
    """How many rules and elements both have seen."""
    seen = 0
    for title, table in nft_tables(node.sh("nft list ruleset")).items():
        listing = node.run(["nft", "-a", "list", "table", *title.split(" ")], check=False)
        if listing.returncode or "xt " in listing.stdout:
            continue
        lines = flattened(shell, listing.stdout)
        handles = [line.split("\t", 2)[2].split(" ")[0] for line in lines if "\tr\t" in line]
        found = [re.sub(r"^(chain [^\t]*\tr\t)[0-9]+ ", r"\1", line) for line in lines]
        assert told(table) == found, title
        assert all(handle.isdigit() for handle in handles)
        assert len(handles) == len(set(handles))
        seen += sum("\tr\t" in line or "\te\t" in line for line in found)
    return seen


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_awkward_words_are_taken_apart_alike(node: Namespace, shell: tuple[str, ...]) -> None:
    """Braces, commas, handles and counts in quotes; blocks of rules; elements of many lines."""
    for text in (AWKWARD, BASE + NETDEV):
        node.run(["nft", "-f", "-"], stdin=f"flush ruleset\n{text}")
        assert 20 < compared(node, shell)


@pytest.mark.skipif(not REAL.exists(), reason="no real inputs")
def test_real_rule_sets_are_taken_apart_alike(node: Namespace) -> None:
    """Every file of rules that this nft takes."""
    node.sh("ip link add eth0 type veth peer name eth1; ip link add d0 type veth peer name d1")
    loaded = seen = 0
    for number, path in enumerate(sorted(REAL.rglob("*.nft"))):
        text = path.read_text(errors="surrogateescape")
        done = node.run(["nft", "-f", "-"], stdin=f"flush ruleset\n{text}", check=False)
        if done.returncode == 0:
            loaded += 1
            seen += compared(node, SHELLS[number % 2])
    assert loaded > 100
    assert seen > 300

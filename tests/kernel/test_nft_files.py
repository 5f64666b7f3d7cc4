"""Files and commands of nft, loaded by nft and laid on the record: both must end in the same tables."""

import json
import os
import random
from pathlib import Path

import pytest
from namespace import Namespace

from planner.nft.apply import RefusalError, carry_out
from planner.nft.reader import read_commands
from planner.nft.state import Recorded
from planner.nft.tokens import SyntaxMistakeError
from planner.parse.native import native_json, native_text, read_items

pytestmark = pytest.mark.kernel
REAL = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "real"
OBJECTS = frozenset({"counter", "quota", "limit", "ct helper", "ct timeout", "ct expectation", "synproxy"})
"""Kept as they are written; what `nft -j` says of them is not rebuilt."""


def listed(ns: Namespace) -> tuple[str, str]:
    """The tables as the collector records them."""
    text = native_text(ns.run(["nft", "list", "ruleset"]).stdout, ())
    return text, native_json(read_items(ns.run(["nft", "-j", "list", "ruleset"]).stdout), ())


def laid(text: str, on: tuple[str, str]) -> tuple[tuple[str, str], str]:
    """The tables after the file, and why it is refused."""
    tables = Recorded(*on)
    try:
        carry_out(list(read_commands(text)), tables)
    except (RefusalError, SyntaxMistakeError) as error:
        return on, str(error)
    return (tables.text(), tables.json_text()), ""


def comparable(json_text: str) -> list[object]:
    """Without what nft 1.0.6 leaves out or gets wrong: the flag `dynamic`, the flags of a table, a set's auto-merge."""
    items = []
    for item in json.loads(json_text)["nftables"] if json_text else ():
        ((kind, body),) = item.items()
        if kind in OBJECTS:
            continue
        if kind == "table":
            body = {name: value for name, value in body.items() if name != "flags"}
        if kind in {"set", "map"}:
            flags = [flag for flag in body.get("flags", ()) if flag != "dynamic"]
            body = {name: value for name, value in body.items() if name != "flags"} | (
                {"flags": flags} if flags else {}
            )
        items.append({kind: body})
    return items


def check(ns: Namespace, text: str, before: tuple[str, str]) -> tuple[str, str]:
    """Loads the text, compares, and returns what there is now."""
    result = ns.run(["nft", "-f", "-"], stdin=text, check=False)
    after = listed(ns)
    predicted, refused = laid(text, before)

    assert bool(result.returncode) == bool(refused), (text, result.stderr, refused)
    assert after[0] == predicted[0], text
    assert comparable(after[1]) == comparable(predicted[1]), text
    return after


WHOLE = """#!/usr/sbin/nft -f
flush ruleset
define http = { 80, 443 }
define lan = 10.0.0.0/8
table inet filter {
	comment "of the host"
	set s1 { type ipv4_addr; elements = { 10.0.0.3, 10.0.0.1 }; comment "some"; }
	set s2 { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/24 . 80-90, 10.0.1.0/24 . 22 } }
	set s3 { typeof ip saddr; flags timeout; timeout 1h30m; gc-interval 10s; size 128; }
	set s4 { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/24, 10.0.1.0/24, 10.0.2.1-10.0.2.7 } }
	set s5 { type ifname; elements = { eth0, lo } }
	set s6 { type mark; elements = { 1, 0x20 } }
	set s8 { type ipv6_addr; flags constant, interval; elements = { fe80::/10 } }
	map m1 { type inet_service : verdict; elements = { 22 : accept, 80 : jump c2 } }
	map m2 { type ipv4_addr : mark; flags interval; elements = { 10.0.0.0/8 : 1 } }
	map m3 { type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = { 1.2.3.4 . 80 : 10.0.0.1 . 8080 } }
	chain c2 { comment "chain c"; }
	chain input {
		type filter hook input priority 0; policy drop;
		tcp dport $http accept # a comment
		ip saddr $lan \\
			accept
		tcp dport vmap @m1
	}
	chain forward { type filter hook forward priority filter - 5; }
	chain out { type route hook output priority mangle; policy accept; }
	chain x2 { type nat hook prerouting priority -100; dnat ip to ip daddr . tcp dport map @m3; }
	chain x5 { type filter hook input priority 333; }
	chain x9 { type filter hook output priority 11; }
}
table filter { chain INPUT { type filter hook input priority 0; }; }
table ip6 t6 { flags dormant; chain a { }; }
table bridge br {
	chain p { type filter hook prerouting priority dstnat; }
	chain q { type filter hook forward priority 5; }
}
table netdev nd {
	chain ing { type filter hook ingress device lo priority 0; }
}
"""
FIRST = "table inet t {\n\tset s { type ipv4_addr; flags interval; }\n\tchain c { type filter hook input priority 0; }\n\tchain d { }\n}\n"
CASES = {
    "a whole file": [WHOLE],
    "the same file twice": [WHOLE.replace("flush ruleset\n", "").replace("dormant", "dormant"), WHOLE],
    "rules doubled": [FIRST + "add rule inet t c tcp dport 22 accept\n"] * 2,
    "insert and index": [
        FIRST + "add rule inet t c tcp dport 1 accept\nadd rule inet t c tcp dport 2 accept\n",
        "insert rule inet t c tcp dport 3 accept\nadd rule inet t c index 0 tcp dport 4 accept\ninsert rule inet t c index 1 tcp dport 5 accept\n",
        "add rule inet t c index 9 accept\n",
    ],
    "elements": [
        FIRST + "add element inet t s { 10.0.0.0/8, 1.2.3.4 }\n",
        "add element inet t s { 10.1.0.0/16 }\n",
        "delete element inet t s { 1.2.3.4 }\n",
        "delete element inet t s { 1.2.3.4 }\n",
        "flush set inet t s\nadd element inet t s { 5.5.5.5-5.5.5.9, 9.9.9.9 }\n",
    ],
    "elements of maps by their keys": [
        FIRST
        + "add map inet t v { type inet_service : verdict; elements = { 22 : accept, 80 : drop, 81 : jump d, 90 : drop }; }\n"
        + "add map inet t i { type ipv4_addr : mark; flags interval; elements = { 10.0.0.0/8 : 1, 1.2.3.4 : 2 }; }\n"
        + "add map inet t k { type ipv4_addr . inet_service : mark; elements = { 1.1.1.1 . 80 : 1, 1.1.1.1 . 81 : 1 }; }\n",
        "delete element inet t v { 22 }\n",
        "delete element inet t v { 80, 81 : jump d }\ndelete element inet t i { 10.0.0.0/8 }\n",
        "delete element inet t k { 1.1.1.1 . 80 }\ndelete chain inet t d\n",
        "delete element inet t v { 22 }\n",
        "add element inet t v { 22 }\n",
    ],
    "in use": [
        FIRST + "add rule inet t c jump d\nadd rule inet t c ip saddr @s drop\n",
        "delete chain inet t d\n",
        "delete set inet t s\n",
        "flush chain inet t c\ndelete chain inet t d\ndelete set inet t s\n",
        "delete chain inet t c\n",
    ],
    "exists": [FIRST, "create table inet t\n", "create chain inet t d\n", "add chain inet t d\n", "create chain inet t e\n"],
    "missing": [FIRST, "delete table inet u\n", "flush chain inet t x\n", "add rule inet t x accept\n", "add rule ip t c accept\n"],
    "all or nothing": [FIRST, "add table ip u\nadd rule inet t c drop\nadd rule inet t none accept\n"],
    "another hook": [FIRST, "add chain inet t c { type filter hook input priority 0; policy drop; }\n", "add chain inet t c { type filter hook forward priority 0; }\n"],
    "another set": [FIRST, "add set inet t s { type inet_service; }\n", "add set inet t s { type ipv4_addr; flags interval; elements = { 1.1.1.1 } }\n"],
    "calls": [FIRST + "add rule inet t c jump d\n", "add rule inet t d jump d\n", "add rule inet t c jump none\n", "add rule inet t d jump c\n"],
    "renamed": [FIRST, "rename chain inet t d e\n", "rename chain inet t c e\n"],
    "a brace too early": ["table inet x { chain y { accept } }\n", "table inet x { chain y { accept; }; }\n"],
    "emptied and filled": [FIRST + "add rule inet t c accept\n", "table inet t\ndelete table inet t\n" + FIRST, "flush table inet t\n"],
    "the tables of a family": [WHOLE, "flush ruleset ip6\n", "flush ruleset\n"],
    "nat": [
        "table ip n { chain p { type nat hook prerouting priority dstnat; tcp dport 80 dnat to 10.0.0.1:8080; }\n chain q { type filter hook input priority 0; }\n}\n",
        "add rule ip n q masquerade\n",
        "add rule ip n p dnat to 10.0.0.1:80\n",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_file_ends_in_the_tables_that_nft_makes_of_it(name: str) -> None:
    """File after file: the text, the objects, and which of them are refused."""
    with Namespace() as ns:
        before = ("", "")
        for text in CASES[name]:
            before = check(ns, text, before)


MATCHES = (
    "tcp dport 22", "tcp dport { 443, 80 }", "udp dport 53", "ip saddr 10.0.0.0/8", "ip daddr { 1.2.3.4, 10.1.0.0/16 }",
    "ip6 saddr fe80::/10", "iifname eth0", "iifname { b, a }", "iif lo", "ct state established,related", "ct state new",
    "meta mark 0x10", "meta mark & 0xff == 0x1", "icmp type echo-request", "meta l4proto { tcp, udp }", "meta nfproto ipv4",
    "ip saddr @a", "ip saddr != @a", "tcp flags & (fin|syn) == syn", "fib daddr type local", "limit rate 5/second",
    "meta l4proto tcp", "ip protocol tcp", "th dport 53", "tcp sport 1024-65535", "counter", 'log prefix "x"',
    "ct mark set 1", "meta mark set meta mark | 0x4000", "meta pkttype broadcast",
)  # fmt: skip
ENDS = (
    "accept",
    "drop",
    "return",
    "jump x",
    "jump y",
    "reject",
    "counter",
    "tcp dport vmap { 1 : accept, 5-9 : drop }",
    "",
)


def random_file(dice: random.Random) -> str:
    """A few commands on a few names, so that they meet."""
    lines = []
    for _ in range(dice.randint(1, 6)):
        table = dice.choice(("inet t", "ip t"))
        chain = dice.choice(("c", "x", "y"))
        rule = " ".join([*dice.sample(MATCHES, dice.randint(0, 3)), dice.choice(ENDS)]).strip() or "accept"
        address = f"10.{dice.randint(0, 2)}.0.0/{dice.choice((16, 24))}"
        lines.append(
            dice.choice(
                (
                    f"add rule {table} {chain} {rule}",
                    f"add rule {table} {chain} {rule}",
                    f"insert rule {table} {chain} {rule}",
                    f"add rule {table} {chain} index {dice.randint(0, 2)} {rule}",
                    f"table {table} {{\n\tchain {chain} {{\n\t\t{rule}\n\t}}\n}}",
                    f"add element {table} a {{ {address} }}",
                    f"delete element {table} a {{ {address} }}",
                    f"flush chain {table} {chain}",
                    f"add chain {table} {chain}",
                    f"delete chain {table} {dice.choice('xy')}",
                    f"add table {table}\ndelete table {table}\n{base(table)}",
                )
            )
        )
    return "\n".join(lines) + "\n"


def base(table: str) -> str:
    """What the commands need."""
    return (
        f"table {table} {{\n\tset a {{ type ipv4_addr; flags interval; }}\n\tchain x {{ }}\n\tchain y {{ }}\n"
        "\tchain c { type filter hook input priority 0; }\n}"
    )


@pytest.mark.parametrize("seed", range(12))
def test_random_files_end_in_the_tables_that_nft_makes_of_them(seed: int) -> None:
    """Twelve files, one on the other."""
    dice = random.Random(seed)
    with Namespace() as ns:
        before = check(ns, f"{base('inet t')}\n{base('ip t')}\n", ("", ""))
        for _ in range(12):
            before = check(ns, random_file(dice), before)


@pytest.mark.skipif(not REAL.exists(), reason="no real inputs")
def test_real_files_are_read() -> None:
    """Files that others wrote for their nodes: nothing that nft loads is refused, and their rules are read but for some words."""
    rules = unread = loaded = 0
    wrong: list[str] = []
    with Namespace() as ns:
        for path in sorted(REAL.rglob("*.nft")):
            text = path.read_text()
            ns.run(["nft", "flush", "ruleset"])
            if ns.run(["nft", "-f", "-"], stdin=text, check=False).returncode:
                continue
            tables = Recorded("", "")
            try:
                done = carry_out(list(read_commands(text)), tables)
            except (RefusalError, SyntaxMistakeError) as error:
                wrong.append(f"{path.name}:{error.line}: {error}")
                continue
            loaded, rules, unread = loaded + 1, rules + len(done.rules), unread + len(done.unknown)

    assert [] == wrong
    assert loaded > 90
    assert unread < rules / 8, f"{unread} of {rules} rules of {loaded} files hold words that are not read"

"""Everything that an nft table can declare, made, taken away or changed, while others have rules in the same chain and table."""

from pathlib import Path

import pytest
from namespace import Namespace
from test_native_foreign import changed
from test_native_transactions import load, unlike

THINGS = {
    "ct timeout": (
        "ct timeout x { protocol tcp; l3proto ip; policy = { established : 60, close : 4 }\n }",
        'ct timeout set "x"',
        ("60", "90"),
    ),
    "ct expectation": (
        "ct expectation x { protocol tcp; dport 9876; timeout 1m; size 12; l3proto ip;\n }",
        'ct expectation set "x"',
        ("9876", "9877"),
    ),
    "ct helper": (
        'ct helper x { type "ftp" protocol tcp; l3proto ip;\n }',
        'ct helper set "x"',
        ("ftp", "irc"),
    ),
    "synproxy": (
        "synproxy x { mss 1460; wscale 7; timestamp sack-perm\n }",
        'tcp dport 8888 synproxy name "x"',
        ("1460", "1400"),
    ),
    "counter": (
        "counter x { packets 3 bytes 30\n }",
        "counter name x",
        ("{ packets", '{ comment "a"; packets'),
    ),
    "quota": ("quota x { over 25 mbytes used 3 kbytes\n }", "quota name x", ("25", "30")),
    "limit": ("limit x { rate 5/second burst 9 packets\n }", "limit name x", ("5/", "7/")),
    "intervals of pairs": (
        "set x { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/24 . 80-90, 10.0.2.1 . 1 }\n }",
        "ip saddr . tcp dport @x",
        ("80-90", "80-95"),
    ),
    "a map of intervals of pairs": (
        "map x { type ipv4_addr . inet_service : mark; flags interval; elements = { 10.0.0.0/24 . 80-90 : 5, 10.0.2.1 . 1 : 6 }\n }",
        "meta mark set ip saddr . tcp dport map @x",
        (": 5", ": 7"),
    ),
    "a map of counters": (
        'counter y {\n packets 0 bytes 0\n }\n map x { type inet_service : counter; elements = { 80 : "y" }\n }',
        "counter name tcp dport map @x",
        ("80", "81"),
    ),
    "verdicts of intervals": (
        "map x { type ipv4_addr : verdict; flags interval; elements = { 10.0.0.0/8 : accept, 192.168.0.0-192.168.3.255 : drop }\n }",
        "ip saddr vmap @x",
        ("accept", "drop"),
    ),
    "what packets fill": (
        "set x { type ipv4_addr; size 100; flags dynamic,timeout; timeout 10s; }",
        "add @x { ip saddr limit rate over 10/second burst 5 packets } drop",
        ("100", "200"),
    ),
    "a set of expressions": (
        "set x { typeof ip saddr . ct mark; elements = { 1.1.1.1 . 0x00000005 }\n }",
        "ip saddr . ct mark @x",
        ("0x00000005", "0x00000006"),
    ),
    "a set that is constant": (
        "set x { type inet_service; flags constant; elements = { 80 }\n }",
        "tcp dport @x",
        ("80", "81"),
    ),
    "intervals and all the rest": (
        "map x { type ipv4_addr : verdict; flags interval; elements = { 10.0.0.0/8 : accept, * : drop }\n }",
        "ip saddr vmap @x",
        ("* : drop", "* : continue"),
    ),
    "a quota of a rule": ("chain x {\n quota over 5 mbytes drop\n }", "jump x", ("5 mbytes", "6 mbytes")),
    "a limit of a rule": (
        "chain x {\n limit rate over 5/second burst 7 packets drop\n }",
        "jump x",
        ("5/", "6/"),
    ),
    "a block of rules": (
        "chain x {\n jump {\n tcp dport 5 counter accept\n }\n }",
        "jump x",
        ("dport 5", "dport 6"),
    ),
}
FIRST, LAST = "ip saddr 1.1.1.1 accept", "ip saddr 9.9.9.9 counter packets 1 bytes 2 drop"
DOING = (
    "nft add rule inet fw c counter packets 5 bytes 55 comment theirs; nft insert rule inet fw c counter packets 7 bytes 7; "
    "nft add chain inet fw theirs; nft add rule inet fw theirs counter packets 5 bytes 5 {}; nft add set inet fw their '{{ type ipv4_addr; }}'"
)


def table(thing: str, *rules: str) -> str:
    """A table with the thing and a chain of these rules."""
    lines = "".join(f"  {rule}\n" for rule in rules)
    chain = f"chain c {{ type filter hook input priority 0; policy accept;\n{lines} }}"
    return f"table inet fw {{\n {thing}\n {chain}\n}}\n"


@pytest.mark.parametrize("case", ["made", "gone", "changed"])
@pytest.mark.parametrize("kind", THINGS)
def test_a_thing_goes_back_beside_what_others_do(
    node: Namespace, tmp_path: Path, kind: str, case: str
) -> None:
    """All is as if nobody but they had done anything; where the thing was there before and after, a rule of theirs names it, too."""
    thing, rule, words = THINGS[kind]
    with_it, without = table(thing, FIRST, rule, LAST), table("", FIRST, LAST)
    before, after = {
        "made": (without, with_it),
        "gone": (with_it, without),
        "changed": (with_it, with_it.replace(*words)),
    }[case]
    doing = DOING.format(f"'{rule}'" if case == "changed" else "")
    with Namespace() as twin:
        load(twin, before)
        twin.sh(doing)
        wanted = twin.sh("nft list ruleset")
    played = changed(node, tmp_path, before, after)
    node.sh(doing)

    status, words_said = played.run("rollback.sh")

    assert 0 == status, words_said
    assert [] == unlike(wanted, played.tables)
    assert "counter packets 5 bytes 55" in played.tables
    assert "nothing to take back" in played.run("rollback.sh")[1]

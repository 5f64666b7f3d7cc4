"""What others change between a change and its way back: theirs stays, ours is taken back, and only the very same is left and named."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from namespace import Namespace
from plan_node import Planned, command, recipe, write

from planner.models.proposal import Operation

SHELL = {"nft": ("dash",), "legacy": ("busybox", "sh")}
"""Each of the shells of nodes, with its own sed, grep and sort, takes one back end."""
BACKENDS = pytest.mark.parametrize("backend", ["nft", "legacy"])
SHELLS = pytest.mark.parametrize("shell", [("dash",), ("busybox", "sh")], ids=["dash", "busybox"])
NETWORK = "10.0.0."


def words(rule: str) -> tuple[str, ...]:
    """A rule that is told by a letter: the last octet of its source."""
    return ("-s", f"{NETWORK}{ord(rule)}/32", "-m", "comment", "--comment", f'rule "{rule}"', "-j", "ACCEPT")


def filled(chain: str, rules: str) -> str:
    """iptables-restore's lines for these rules."""
    lines = [
        f'-A {chain} -s {NETWORK}{ord(r)}/32 -m comment --comment "rule \\"{r}\\"" -j ACCEPT' for r in rules
    ]
    return "\n".join(lines)


def restored(backend: str, text: str) -> str:
    """Shell text that loads rules beside those that are there."""
    return f"iptables-{backend}-restore --noflush <<'END'\n*filter\n{text}\nCOMMIT\nEND\n"


def letters(node: Namespace, backend: str, chain: str = "FORWARD") -> str:
    """The rules of a chain by their letters."""
    lines = node.sh(f"iptables-{backend}-save -t filter").splitlines()
    sources = [line.split(NETWORK)[1].split("/")[0] for line in lines if line.startswith(f"-A {chain} ")]
    return "".join(chr(int(source)) for source in sources)


def policy(node: Namespace, backend: str) -> str:
    """The chain policy of FORWARD."""
    return node.sh(f"iptables-{backend}-save -t filter | sed -n 's/^:FORWARD \\([A-Z]*\\) .*/\\1/p'").strip()


@BACKENDS
@SHELLS
def test_the_timer_opens_a_chain_again_in_which_somebody_has_added_a_rule(
    node: Namespace, tmp_path: Path, backend: str, shell: tuple[str, ...]
) -> None:
    """The policy and the rules of the change go, the foreign rule stays: nobody is there who could do the rest."""
    tables = f"iptables-{backend}"
    operations = (
        command(tables, "-I", "FORWARD", "1", *words("X")),
        command(tables, "-P", "FORWARD", "DROP"),
    )
    setup = restored(backend, filled("FORWARD", "ab"))
    plan = Planned.on(node, recipe(setup, operations, ()), tmp_path, shell)
    assert 0 == plan.apply().returncode
    node.sh(restored(backend, filled("FORWARD", "y")))
    assert ("DROP", "Xaby") == (policy(node, backend), letters(node, backend))

    back = plan.rollback("--unattended")

    assert 0 == back.returncode, (plan.state / "log").read_text()
    assert ("ACCEPT", "aby") == (policy(node, backend), letters(node, backend))
    assert "nothing to take back" in plan.rollback().stderr


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
    "somebody has deleted ours": ("ab", "abX", "ab", "ab"),
    "somebody has deleted ours and added theirs": ("ab", "abX", "aby", "aby"),
    "somebody has deleted a neighbour": ("abcde", "abde", "abey", "abcey"),
    "somebody has put back what was deleted": ("abc", "ac", "abcy", "abcy"),
    "somebody has flushed the chain to which we had added": ("ab", "abX", "", ""),
    "equal rules, of which one is ours": ("aba", "abaX", "abaXy", "abay"),
}


@BACKENDS
@pytest.mark.parametrize("case", PLAIN)
def test_what_is_ours_is_taken_back_around_what_is_theirs(
    node: Namespace, tmp_path: Path, backend: str, case: str
) -> None:
    """A rollback by hand does not stop for rules beside ours: they keep their place, and ours are as before."""
    before, after, found, wanted = PLAIN[case]
    plan = changed_chain(node, tmp_path, backend, before, after)
    write_chain(node, backend, found)

    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    assert wanted == letters(node, backend)
    assert "nothing to take back" in plan.rollback().stderr


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


@BACKENDS
@pytest.mark.parametrize("case", UNCLEAR)
def test_what_is_not_plain_stops_a_rollback_by_hand(
    node: Namespace, tmp_path: Path, backend: str, case: str
) -> None:
    """It is named, and nothing is changed. Unattended, an order is guessed so that what worked works again; a rule that
    somebody else has changed is left."""
    before, after, found, wanted, sentence = UNCLEAR[case]
    plan = changed_chain(node, tmp_path, backend, before, after)
    write_chain(node, backend, found)

    refused = plan.rollback()
    assert 3 == refused.returncode
    assert sentence in refused.stderr
    assert found == letters(node, backend)

    unattended = plan.rollback("--unattended")
    assert (3 if wanted == found else 0) == unattended.returncode
    assert wanted == letters(node, backend)


def changed_chain(node: Namespace, directory: Path, backend: str, before: str, after: str) -> Planned:
    """FORWARD with these rules, changed to those in one step by an applied plan."""
    text = f"*filter\n-F FORWARD\n{filled('FORWARD', after)}\nCOMMIT\n"
    operations = (command(f"iptables-{backend}-restore", "--noflush", stdin=text),)
    made = recipe(restored(backend, filled("FORWARD", before)), operations, ())
    plan = Planned.on(node, made, directory, SHELL[backend])
    applied = plan.apply()
    assert 0 == applied.returncode, applied.stderr
    assert after == letters(node, backend)
    return plan


def write_chain(node: Namespace, backend: str, rules: str, chain: str = "FORWARD") -> None:
    """Somebody else leaves the chain so."""
    node.sh(restored(backend, f"-F {chain}\n{filled(chain, rules)}"))


def test_what_cannot_be_read_is_not_taken_for_absent(node: Namespace, tmp_path: Path) -> None:
    """A tool that fails tells nothing: the rollback stops, and does not claim that the rules are gone."""
    plan = changed_chain(node, tmp_path, "nft", "ab", "abX")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("iptables-nft-save", "iptables-nft"):
        (tools / tool).write_text("#!/bin/sh\nexit 1\n")
        (tools / tool).chmod(0o755)

    refused = plan.script("rollback.sh", PATH=f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin")

    assert 3 == refused.returncode
    assert "does not tell the rules of table filter" in refused.stderr
    assert "abX" == letters(node, "nft")
    assert 0 == plan.rollback().returncode


OWNED = {
    "another rule than the one we took away": ("pq", "q", "rs", "rs", 3),
    "the one that we took away is not among the new ones": ("pq", "q", "qr", "qr", 3),
    "the one that we took away is among the new ones": ("pq", "q", "pqr", "pqr", 0),
    "the one that we had added is not among the new ones": ("pq", "pqX", "rs", "rs", 0),
    "the one that we had added is still there": ("pq", "pqX", "rXs", "rs", 0),
}


@BACKENDS
@pytest.mark.parametrize("case", OWNED)
def test_a_chain_that_its_owner_has_written_again_gets_no_old_rules(
    node: Namespace, tmp_path: Path, backend: str, case: str
) -> None:
    """kube-proxy writes a Service's chain whole: what it has left out since would lead to endpoints that are gone."""
    before, after, found, wanted, status = OWNED[case]
    chain = "KUBE-SVC-ABCDEFGHIJKLMNOP"
    text = f"*filter\n-F {chain}\n{filled(chain, after)}\nCOMMIT\n"
    operations = (command(f"iptables-{backend}-restore", "--noflush", stdin=text),)
    setup = restored(backend, f":{chain} - [0:0]\n{filled(chain, before)}")
    plan = Planned.on(node, recipe(setup, operations, ()), tmp_path, SHELL[backend])
    assert 0 == plan.apply().returncode
    write_chain(node, backend, found, chain)

    back = plan.rollback()

    assert status == back.returncode, back.stderr
    assert wanted == letters(node, backend, chain)
    assert status == plan.rollback("--unattended").returncode
    assert wanted == letters(node, backend, chain)


@BACKENDS
def test_a_chain_of_ours_stays_while_others_use_it(node: Namespace, tmp_path: Path, backend: str) -> None:
    """Rules of others in it, or rules that lead to it: it is not deleted under them, and our rules are gone all the same."""
    text = f"*filter\n:OURS - [0:0]\n:MORE - [0:0]\n:LAST - [0:0]\n{filled('OURS', 'XY')}\n{filled('MORE', 'Z')}\n-A LAST -j MORE\n-A FORWARD -j OURS\nCOMMIT\n"
    operations = (command(f"iptables-{backend}-restore", "--noflush", stdin=text),)
    made = recipe(restored(backend, filled("FORWARD", "a")), operations, ())
    plan = Planned.on(node, made, tmp_path, SHELL[backend])
    assert 0 == plan.apply().returncode
    node.sh(restored(backend, f"{filled('OURS', 'y')}\n-A OUTPUT -j MORE"))

    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    saved = node.sh(f"iptables-{backend}-save -t filter")
    assert ("a", "y") == (letters(node, backend), letters(node, backend, "OURS"))
    assert ":MORE - " in saved
    assert "-A MORE" not in saved
    assert ":LAST - " not in saved
    assert "stays: there are rules of others" in (plan.state / "log").read_text()


# ---- everything else

LINKS = """
ip link add eth0 address 02:00:00:00:00:01 type veth peer name peer0 address 02:00:00:00:00:02
for l in eth0 peer0; do sysctl -qw net.ipv6.conf.$l.accept_dad=0; ip link set $l up; done
ip addr add 10.0.0.5/24 dev eth0
ip route add 10.244.1.0/24 via 10.0.0.7 metric 10
ip rule add pref 100 from 10.1.0.0/16 lookup 50
ip neigh replace 10.0.0.7 lladdr 02:00:00:00:00:77 dev eth0 nud permanent
ip link add vx address 02:00:00:00:00:0e type vxlan id 7 dstport 8472 nolearning; sysctl -qw net.ipv6.conf.vx.accept_dad=0; ip link set vx up
bridge fdb add 02:00:00:00:00:aa dev vx dst 10.0.0.7 self permanent
ip nexthop add id 7 via 10.0.0.7 dev eth0
ipset create web hash:net comment; ipset add web 10.9.0.0/24 comment old
mkdir -p /run/test; echo old >/run/test/x.conf
"""
KINDS: dict[str, tuple[Sequence[Operation], str, str]] = {
    "route": (
        [command("ip", "route", "replace", "10.244.1.0/24", "via", "10.0.0.8", "metric", "10")],
        "ip route add 10.244.1.0/24 via 10.0.0.9 metric 20",
        "ip route replace 10.244.1.0/24 via 10.0.0.9 metric 10",
    ),
    "route that was deleted": (
        [command("ip", "route", "del", "10.244.1.0/24", "metric", "10")],
        "ip route add 10.244.1.0/24 via 10.0.0.9 metric 20",
        "ip route add 10.244.1.0/24 via 10.0.0.9 metric 10",
    ),
    "policy rule": (
        [
            command("ip", "rule", "del", "pref", "100"),
            command("ip", "rule", "add", "pref", "100", "from", "10.1.0.0/16", "lookup", "60"),
        ],
        "ip rule add pref 100 from 10.2.0.0/16 lookup 70",
        "ip rule del pref 100; ip rule add pref 100 from 10.1.0.0/16 lookup 80",
    ),
    "address": (
        [command("ip", "address", "add", "10.1.0.1/24", "dev", "eth0")],
        "ip address add 10.0.0.6/24 dev eth0; ip address add 10.3.0.1/24 dev eth0",
        "ip address add 10.1.0.2/24 dev eth0",
    ),
    "neighbour": (
        [
            command(
                "ip",
                "neigh",
                "replace",
                "10.0.0.7",
                "lladdr",
                "02:00:00:00:00:88",
                "dev",
                "eth0",
                "nud",
                "permanent",
            )
        ],
        "ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:99 dev eth0 nud permanent",
        "ip neigh replace 10.0.0.7 lladdr 02:00:00:00:00:99 dev eth0 nud permanent",
    ),
    "forwarding entry": (
        [
            command(
                "bridge",
                "fdb",
                "replace",
                "02:00:00:00:00:aa",
                "dev",
                "vx",
                "dst",
                "10.0.0.8",
                "self",
                "permanent",
            )
        ],
        "bridge fdb add 02:00:00:00:00:bb dev vx dst 10.0.0.9 self permanent",
        "bridge fdb replace 02:00:00:00:00:aa dev vx dst 10.0.0.9 self permanent",
    ),
    "forwarding entry for everything": (
        [
            command(
                "bridge",
                "fdb",
                "append",
                "00:00:00:00:00:00",
                "dev",
                "vx",
                "dst",
                "10.0.0.8",
                "self",
                "permanent",
            )
        ],
        "bridge fdb append 00:00:00:00:00:00 dev vx dst 10.0.0.9 self permanent",
        "",
    ),
    "nexthop": (
        [command("ip", "nexthop", "replace", "id", "7", "via", "10.0.0.8", "dev", "eth0")],
        "ip nexthop add id 9 via 10.0.0.9 dev eth0",
        "ip nexthop replace id 7 via 10.0.0.9 dev eth0",
    ),
    "MTU": (
        [command("ip", "link", "set", "dev", "eth0", "mtu", "1400")],
        "ip link set dev peer0 mtu 1450",
        "ip link set dev eth0 mtu 1300",
    ),
    "ipset": (
        [command("ipset", "add", "web", "10.8.0.0/24"), command("ipset", "del", "web", "10.9.0.0/24")],
        "ipset add web 10.7.0.0/24",
        "ipset add web 10.9.0.0/24 comment new",
    ),
    "sysctl": (
        [command("sysctl", "-w", "net.ipv4.conf.eth0.rp_filter=1")],
        "sysctl -qw net.ipv4.conf.peer0.rp_filter=2",
        "sysctl -qw net.ipv4.conf.eth0.rp_filter=2",
    ),
    "file": (
        [write("/run/test/x.conf", "new\n")],
        "echo other >/run/test/y.conf",
        "echo other >/run/test/x.conf",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_beside_the_change_stays(node: Namespace, tmp_path: Path, kind: str) -> None:
    """Of the same link, prefix, preference, set: it is theirs, and no reason to stop."""
    operations, beside, _ = KINDS[kind]
    plan = planned(node, tmp_path, operations)
    applied = told(node)
    node.sh(beside)
    theirs, gone = told(node) - applied, applied - told(node)
    assert theirs

    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    with Namespace() as twin:
        twin.sh(LINKS)
        assert (told(twin) - gone) | theirs == told(node)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][2]])
def test_the_very_same_is_left_and_named(node: Namespace, tmp_path: Path, kind: str) -> None:
    """By hand nothing at all is changed; unattended the rest is taken back; with --force it is as before."""
    operations, _, same = KINDS[kind]
    rest = command("sysctl", "-w", "net.ipv4.conf.eth0.arp_ignore=1")
    plan = planned(node, tmp_path, [rest, *operations], ("busybox", "sh"))
    node.sh(same)
    found = plan.differs_from(-1)

    refused = plan.rollback()
    assert 3 == refused.returncode
    assert "somebody else has changed what was set" in refused.stderr
    assert found == plan.differs_from(-1)

    assert 3 == plan.rollback("--unattended").returncode
    assert "0" == node.sysctl("net.ipv4.conf.eth0.arp_ignore")
    assert "somebody else has changed" in plan.rollback().stderr

    forced = plan.rollback("--force")
    # No command deletes a policy rule of which only preference and selector are known.
    assert (4 if kind == "policy rule" else 0) == forced.returncode, forced.stderr


LOOK = """
ip -4 route show table all; ip -4 rule; ip neigh show nud permanent; bridge fdb show dev vx; ip nexthop
ip -o addr | sed -e 's/^[0-9]*: //' -e 's/ valid_lft.*//'; ip -o link | sed 's/^[0-9]*: \\([^:@]*\\)[:@].* \\(mtu [0-9]*\\).*/\\1 \\2/'
ipset save web | grep '^add '; grep -H '' /proc/sys/net/ipv4/conf/*/rp_filter; grep -r '' /run/test
"""


def told(node: Namespace) -> set[str]:
    """Everything that these tests touch, a line each."""
    return set(node.sh(LOOK).splitlines())


def planned(
    node: Namespace, directory: Path, operations: Sequence[Operation], shell: tuple[str, ...] = ("dash",)
) -> Planned:
    """A node with links, and these steps applied."""
    files = (Path("/run/test/x.conf"),)
    plan = Planned.on(node, recipe(LINKS, tuple(operations), files), directory, shell)
    assert len(operations) == plan.steps
    applied = plan.apply()
    assert 0 == applied.returncode, applied.stderr
    return plan


def test_of_one_step_only_what_others_have_changed_is_left(node: Namespace, tmp_path: Path) -> None:
    """A step of many values is not left alone as a whole because of one of them."""
    keys = ("arp_ignore", "arp_announce", "rp_filter")
    values = [f"net.ipv4.conf.eth0.{key}=1" for key in keys]
    plan = planned(node, tmp_path, [command("sysctl", "-w", *values)])
    node.sh("sysctl -qw net.ipv4.conf.eth0.arp_announce=2")

    assert 3 == plan.rollback("--unattended").returncode

    assert ["0", "2", "0"] == [node.sysctl(f"net.ipv4.conf.eth0.{key}") for key in keys]

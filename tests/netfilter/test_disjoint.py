"""Two rules are called disjoint, or of the same fate, only when no packet says otherwise."""

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from world import Packet, holds, run

from planner.netfilter.condition import Field
from planner.netfilter.disjoint import disjoint, same_fate
from planner.netfilter.lower import lower_text

NOT = st.sampled_from(["", "", "! "])
ADDRESS = st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "192.168.0.0/16", "0.0.0.1/0.0.0.255"])
LINK = st.sampled_from(["eth0", "eth1", "eth+", "cali+", "cali12", "+"])
PORTS = st.sampled_from(["80", "443", "80:443", "0:1023", "1024:65535"])
MARKS = st.sampled_from(["0x1/0x1", "0x0/0x1", "0x4000/0x4000", "0x3/0x3", "0x1", "0x4000/0xffff"])
STATES = st.sampled_from(
    ["NEW", "ESTABLISHED,RELATED", "INVALID", "DNAT", "NEW,DNAT", "UNTRACKED", "SNAT,ESTABLISHED"]
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A rule whose meaning the packets below can be held against."""
    parts: list[str] = []
    for letter, values in (("s", ADDRESS), ("d", ADDRESS), ("i", LINK), ("o", LINK)):
        if draw(st.integers(0, 2)) == 0:
            parts.append(f"{draw(NOT)}-{letter} {draw(values)}")
    protocol = draw(st.sampled_from(["", "tcp", "udp", "icmp", "! tcp"]))
    if protocol:
        parts.append(f"! -p {protocol[2:]}" if protocol.startswith("!") else f"-p {protocol}")
    if protocol in {"tcp", "udp"}:
        for option in ("--sport", "--dport"):
            if draw(st.integers(0, 2)) == 0:
                parts.append(f"{draw(NOT)}{option} {draw(PORTS)}")  # noqa: PERF401
        if draw(st.integers(0, 3)) == 0:
            parts.append(
                f"-m multiport {draw(NOT)}--{draw(st.sampled_from(['ports', 'dports']))} 80,443,1000:2000"
            )
    if protocol == "tcp" and draw(st.booleans()):
        parts.append(
            f"-m tcp {draw(NOT)}{draw(st.sampled_from(['--syn', '--tcp-flags ALL NONE', '--tcp-flags SYN,FIN SYN']))}"
        )
    if protocol == "icmp" and draw(st.booleans()):
        parts.append(f"-m icmp {draw(NOT)}--icmp-type {draw(st.sampled_from(['8', '3', '3/4', 'any']))}")
    if draw(st.booleans()):
        parts.append(f"-m mark {draw(NOT)}--mark {draw(MARKS)}")
    if draw(st.integers(0, 2)) == 0:
        parts.append(f"-m conntrack {draw(NOT)}--ctstate {draw(STATES)}")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"-m set {draw(NOT)}--match-set {draw(st.sampled_from(['one', 'two']))} src")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"-m tos {draw(NOT)}--tos {draw(st.sampled_from(['0x10/0x10', '0x00/0x3f', '0x08']))}")
    targets = [
        "-j ACCEPT", "-j DROP", "-j RETURN", "-j REJECT", "", "-j MARK --set-mark 1", "-j MARK --or-mark 0x4000",
        "-j MARK --xor-mark 0x4000", "-j MARK --set-xmark 0x1/0x1", "-j TOS --set-tos 0x10/0x10", "-j TOS --set-tos 0x00/0x3f",
    ]  # fmt: skip
    parts.append(draw(st.sampled_from(targets)))
    return " ".join(parts).strip()


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """Values near the borders of the rules above."""
    protocol = draw(st.sampled_from([6, 17, 1, 132]))
    address = st.sampled_from([0x0A000001, 0x0A010203, 0x0A010204, 0xC0A80001, 0x08080801])
    fields = {
        Field.PROTOCOL: protocol, Field.SOURCE: draw(address), Field.DESTINATION: draw(address),
        Field.TOS: draw(st.sampled_from([0, 8, 0x10, 0x18, 0x3F])),
    }  # fmt: skip
    later = draw(st.integers(0, 5)) == 0
    if protocol in {6, 17} and not later:
        port = st.sampled_from([0, 22, 80, 81, 443, 1000, 1023, 1024, 1500, 65535])
        fields |= {Field.SOURCE_PORT: draw(port), Field.DESTINATION_PORT: draw(port)}
    if protocol == 6 and not later:
        fields[Field.TCP_FLAGS] = draw(st.sampled_from([0, 2, 0x12, 0x10, 3, 0x14]))
    if protocol == 1 and not later:
        fields |= {
            Field.ICMP_TYPE: draw(st.sampled_from([0, 3, 8])),
            Field.ICMP_CODE: draw(st.sampled_from([0, 4])),
        }
    state = draw(st.sampled_from(["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"]))
    bits = (
        draw(st.sets(st.sampled_from(["SNAT", "DNAT"]))) if state not in {"INVALID", "UNTRACKED"} else set()
    )
    return Packet(
        fields, draw(st.sampled_from([0, 1, 2, 3, 0x4000, 0x4001])), frozenset({state, *bits}),
        draw(st.sampled_from(["eth0", "eth1", "cali12", "lo"])), draw(st.sampled_from(["eth0", "cali9", ""])),
        frozenset(draw(st.sets(st.sampled_from(["one", "two"])))),
    )  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(rules(), rules(), st.lists(packets(), min_size=12, max_size=12))
def test_no_packet_meets_two_rules_that_are_called_disjoint(
    first: str, second: str, some: list[Packet]
) -> None:
    """A wrong proof would make a moved rule look harmless."""
    if not disjoint(first, second, "ip"):
        return
    for packet in some:
        both = [all(holds(c, packet) for c in lower_text(text, "ip").conditions) for text in (first, second)]

        assert [True, True] != both


@settings(max_examples=1000, deadline=None)
@given(rules(), rules(), st.lists(packets(), min_size=12, max_size=12))
def test_no_packet_tells_the_order_of_rules_of_the_same_fate(
    first: str, second: str, some: list[Packet]
) -> None:
    """Verdict, mark and traffic class are the same whichever comes first."""
    if not same_fate(first, second, "ip"):
        return
    one, two = lower_text(first, "ip"), lower_text(second, "ip")
    for packet in some:
        assert run([one, two], packet) == run([two, one], packet)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("-p tcp -m tcp --dport 80 -j ACCEPT", "-p tcp -m tcp --dport 443 -j DROP"),
        ("-p tcp -j ACCEPT", "-p udp -j DROP"),
        ("-d 10.96.0.1/32 -p tcp -j KUBE-SVC-A", "-d 10.96.0.10/32 -p tcp -j KUBE-SVC-B"),
        ("-i eth0 -j DROP", "-i cali+ -j ACCEPT"),
        ("! -i eth+ -j DROP", "-i eth0 -j ACCEPT"),
        ("-m conntrack --ctstate NEW -j ACCEPT", "-m conntrack --ctstate RELATED,ESTABLISHED -j DROP"),
        ("-m conntrack --ctstate INVALID -j DROP", "-m conntrack --ctstate DNAT -j ACCEPT"),
        ("-m mark --mark 0x4000/0x4000 -j RETURN", "-m mark ! --mark 0x4000/0x4000 -j RETURN"),
        ("-m set --match-set a src -j DROP", "-m set ! --match-set a src -j ACCEPT"),
        (
            "-p tcp -m multiport --dports 80,443 -j DROP",
            "-p tcp -m multiport --dports 22,8080:8090 -j ACCEPT",
        ),
        ("-p icmp -m icmp --icmp-type 8 -j DROP", "-p icmp -m icmp --icmp-type 0 -j ACCEPT"),
        ("-m iprange --src-range 10.0.0.1-10.0.0.9 -j DROP", "-s 10.0.0.16/28 -j ACCEPT"),
        ("-m addrtype --dst-type LOCAL -j DROP", "-m addrtype ! --dst-type LOCAL -j ACCEPT"),
        ("-s 10.0.0.0/8 -m limit --limit 5/sec -j ACCEPT", "! -s 10.0.0.0/8 -j DROP"),
    ],
)
def test_rules_that_nothing_meets_together(first: str, second: str) -> None:
    """The usual pairs of a node are told apart."""
    assert disjoint(first, second, "ip")
    assert disjoint(second, first, "ip")
    assert same_fate(first, second, "ip")


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("-s 10.0.0.0/8 -j DROP", "-p tcp -j ACCEPT", "both can match"),
        (
            "-m string --string x --algo bm -j DROP",
            "-m string ! --string x --algo bm -j ACCEPT",
            "payload is not modelled",
        ),
        (
            "-m conntrack --ctstate NEW -j DROP",
            "-m conntrack --ctstate DNAT -j ACCEPT",
            "a new flow can be translated",
        ),
        (
            "-m statistic --mode random --probability 0.5 -j DROP",
            "-m statistic --mode random ! --probability 0.5 -j ACCEPT",
            "two draws",
        ),
        ("-i eth+ -j DROP", "-i eth0 -j ACCEPT", "one name fits both"),
        ("-m nosuch --x 1 -j DROP", "-m nosuch --y 1 -j ACCEPT", "unknown matches"),
    ],
)
def test_rules_that_may_meet(first: str, second: str, why: str) -> None:
    """What cannot be proved is not claimed."""
    assert not disjoint(first, second, "ip"), why
    assert not same_fate(first, second, "ip"), why


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (
            "-m mark --mark 0x0/0x1 -j MARK --set-xmark 0x1/0x1",
            "-m mark --mark 0x1/0x1 -j DROP",
            "the first makes the second match",
        ),
        (
            "-m set ! --match-set a src -j SET --add-set a src",
            "-m set --match-set a src -j DROP",
            "the first makes a member",
        ),
        ("-m mark --mark 1 -j CHAIN", "-m mark --mark 2 -j DROP", "the chain may set the mark"),
        (
            "-m limit --limit 5/sec -p tcp --dport 80 -j ACCEPT",
            "-p tcp --dport 443 -j DROP",
            "the limit is asked before the port",
        ),
        (
            "-m recent --name x --set -m mark --mark 1",
            "-m mark --mark 2 -j DROP",
            "the list grows before the mark is looked at",
        ),
        ("-p tcp -j LOG", "-p tcp -j DROP", "dropped packets would not be logged"),
        ("-p tcp -j MARK --set-mark 1", "-p tcp -j MARK --set-mark 2", "the last one wins"),
        ("-d fd00::1/128 -j CHAIN", "-d fd00::2/128 -j DROP", "in mangle the chain may rewrite addresses"),
    ],
)
def test_order_that_matters(first: str, second: str, why: str) -> None:
    """Disjoint as they stand is not enough when one changes what the other looks at."""
    family = "ip6" if "fd00" in first else "ip"

    assert not same_fate(first, second, family), why
    assert not same_fate(second, first, family), why


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("-s 10.0.0.0/8 -j ACCEPT", "-p tcp -j ACCEPT"),
        ("-s 10.0.0.0/8 -j REJECT", "-p tcp -j REJECT --reject-with icmp-port-unreachable"),
        ("-s 10.0.0.0/8 -j MARK --or-mark 0x1", "-p tcp -j MARK --or-mark 0x4000"),
        ("-s 10.0.0.0/8 -j MARK --xor-mark 0x1", "-p tcp -j MARK --xor-mark 0x1"),
        ("-s 10.0.0.0/8", "-p tcp -j DROP"),
        ("-s 10.0.0.0/8 -j LOG", "-p tcp -j NFLOG --nflog-group 5"),
        ("-m mark --mark 1 -m comment --comment a -j DROP", "-m comment --comment b -j DROP"),
    ],
)
def test_order_that_does_not_matter(first: str, second: str) -> None:
    """The same verdict, or changes that commute."""
    assert same_fate(first, second, "ip")
    assert same_fate(second, first, "ip")


def test_outside_mangle_no_chain_rewrites_addresses_in_passing() -> None:
    """The two service rules of an IPv6 node can change places in nat."""
    first, second = "-d fd00::1/128 -j KUBE-SVC-A", "-d fd00::2/128 -j KUBE-SVC-B"

    assert same_fate(first, second, "ip6", table="nat")
    assert not same_fate(first, second, "ip6", table="mangle")

"""One packet sent for real: the rules whose counters moved are the rules that the trace names."""

import re

import pytest
from namespace import Namespace
from plan_node import observe

from planner.dataplane.trace import trace
from planner.models.flow import Entry, Flow

ROUTED = (
    "-t mangle -A PREROUTING -p udp --dport 99 -m rpfilter --invert -j MARK --set-mark 1",
    "-t mangle -A PREROUTING -p udp --dport 99 -m rpfilter -j MARK --or-mark 2",
    "-t mangle -A PREROUTING -p udp --dport 99 -m rpfilter --loose --invert -j MARK --or-mark 4",
    "-A FORWARD -p udp --dport 99 -m conntrack --ctstatus NONE -j MARK --or-mark 8",
    "-A FORWARD -p udp --dport 99 -m conntrack ! --ctstatus CONFIRMED -j USER",
    "-A FORWARD -p udp --dport 99 -j DROP",
    "-A USER -p udp --dport 99 -m mark --mark 2/2 -j RETURN",
    "-A USER -p udp --dport 99 -j GONE",
)
BRIDGED = (
    "-A FORWARD -p udp --dport 99 -m physdev --physdev-in va -j MARK --or-mark 1",
    "-A FORWARD -p udp --dport 99 -m physdev --physdev-is-bridged -j MARK --or-mark 2",
    "-A FORWARD -p udp --dport 99 -i br0 -j MARK --or-mark 4",
    "-t mangle -A POSTROUTING -p udp --dport 99 -m physdev --physdev-in va -j MARK --or-mark 8",
    "-t mangle -A POSTROUTING -p udp --dport 99 -j DROP",
)
OWN = (
    "-t nat -A OUTPUT -p udp --dport 99 -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2",
    "-A OUTPUT -p udp --dport 99 -o va -j MARK --or-mark 1",
    "-A OUTPUT -p udp --dport 99 -o vb -j MARK --or-mark 2",
    "-t mangle -A POSTROUTING -p udp --dport 99 -o vb -j DROP",
)


def load(node: Namespace, rules: tuple[str, ...]) -> None:
    for chain in ("USER", "GONE"):
        node.sh(f"iptables-nft -N {chain}")
    for rule in rules:
        node.sh(f"iptables-nft {rule}")


def counted(node: Namespace) -> set[str]:
    """Rules about the probe whose counters moved."""
    lines = node.sh("iptables-nft-save -c").splitlines()
    found = (re.match(r"\[[1-9]\d*:\d+\] (-A .*--dport 99 .*)", line) for line in lines)
    return {match.group(1) for match in found if match}


def send(where: Namespace, destination: str) -> None:
    where.sh(f"bash -c 'echo x > /dev/udp/{destination}/99' 2>/dev/null || true")


@pytest.fixture
def wired(node: Namespace):
    with Namespace() as left, Namespace() as right:
        node.wire("va", left, "eth0")
        node.wire("vb", right, "eth0")
        node.sh(
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0"
        )
        right.sh("ip addr add 10.2.0.2/24 dev eth0; ip link set eth0 up")
        yield node, left


def test_a_routed_packet(wired) -> None:
    """A source whose way back is another link: rpfilter, status bits, a chain that does not return to its caller."""
    node, left = wired
    node.sh(
        "ip addr add 10.1.0.1/24 dev va; ip addr add 10.2.0.1/24 dev vb; ip link set va up; ip link set vb up; sysctl -qw net.ipv4.conf.va.rp_filter=0 net.ipv4.conf.vb.rp_filter=0"
    )
    left.sh(
        "ip addr add 10.1.0.2/24 dev eth0; ip addr add 10.2.0.9/32 dev lo; ip link set eth0 up; ip route add default via 10.1.0.1 src 10.2.0.9"
    )
    load(node, ROUTED)
    state = observe(node)
    send(left, "10.2.0.2")

    flow = Flow(
        source="10.2.0.9",
        destination="10.2.0.2",
        protocol=17,
        source_port=1,
        destination_port=99,
        entry=Entry(link="va"),
        length=30,
    )
    rules = counted(node)
    assert 4 <= len(rules)
    assert rules == named(state, flow)


def test_a_bridged_packet(wired) -> None:
    """From the port of a bridge, routed on: the port is seen by physdev to the end."""
    node, left = wired
    node.sh(
        "ip link add br0 type bridge; ip link set va master br0; ip addr add 10.1.0.1/24 dev br0; ip addr add 10.2.0.1/24 dev vb; for l in br0 va vb; do ip link set $l up; done"
    )
    node.sh("sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.ipv4.conf.br0.rp_filter=0")
    left.sh("ip addr add 10.1.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.1.0.1")
    load(node, BRIDGED)
    state = observe(node)
    send(left, "10.2.0.2")

    flow = Flow(
        source="10.1.0.2",
        destination="10.2.0.2",
        protocol=17,
        source_port=1,
        destination_port=99,
        entry=Entry(link="va"),
        length=30,
    )
    rules = counted(node)
    assert 4 <= len(rules)
    assert rules == named(state, flow)


def test_a_packet_of_the_node(wired) -> None:
    """Translated in OUTPUT and routed again: filter still sees the first link, POSTROUTING the new one."""
    node, _ = wired
    node.sh(
        "ip addr add 10.1.0.1/24 dev va; ip addr add 10.2.0.1/24 dev vb; ip link set va up; ip link set vb up; ip route add default dev va"
    )
    load(node, OWN)
    state = observe(node)
    send(node, "10.96.0.1")

    flow = Flow(
        source="10.1.0.1", destination="10.96.0.1", protocol=17, source_port=1, destination_port=99, length=30
    )
    rules = counted(node)
    assert 3 <= len(rules)
    assert rules == named(state, flow)


def named(state, flow: Flow) -> set[str]:
    """Rules that the trace names."""
    found = trace(state, flow)
    assert 1 == len(found)
    return {hop.rule for hop in found[0].hops if hop.rule}

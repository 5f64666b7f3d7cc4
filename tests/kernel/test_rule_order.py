"""What the diff takes for granted about the order of rules, asked of the kernel."""

import re
import sys

import pytest

SEND = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); [s.sendto(b'x', ('127.0.0.1', int(p))) for p in '{ports}'.split()]"
BACKENDS = ("nft", "legacy")


def accepted(node, backend, rules, ports, chain="INPUT"):
    """How often each rule matched, after one datagram to each of the ports."""
    node.run([f"iptables-{backend}", "-F", chain])
    for rule in rules:
        node.run([f"iptables-{backend}", "-A", chain, *rule.split()])
    node.run([sys.executable, "-c", SEND.format(ports=" ".join(map(str, ports)))])
    saved = node.run([f"iptables-{backend}-save", "-c", "-t", "filter"]).stdout
    return [int(count) for count in re.findall(rf"^\[(\d+):\d+\] -A {chain} ", saved, re.MULTILINE)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_limit_is_used_up_by_packets_that_a_later_match_refuses(node, backend):
    """Ports prove nothing beside a limit: the rules are disjoint, and their order decides all the same."""
    limited = "-p udp -m limit --limit 1/hour --limit-burst 1 -m udp --dport 1000 -j ACCEPT"
    other = "-p udp -m udp --dport 2000 -j DROP"
    assert [0, 1] == accepted(node, backend, [limited, other], [2000, 1000])
    assert [1, 1] == accepted(node, backend, [other, limited], [2000, 1000])


@pytest.mark.parametrize("backend", BACKENDS)
def test_addresses_are_compared_before_a_limit(node, backend):
    """Addresses prove disjointness beside a limit too."""
    limited = "-s 192.0.2.1/32 -m limit --limit 1/hour --limit-burst 1 -j ACCEPT"
    every = "-s 127.0.0.1/32 -p udp -m udp --dport 2000 -j DROP"
    later = "-s 127.0.0.0/8 -m limit --limit 1/hour --limit-burst 1 -p udp -m udp --dport 1000 -j ACCEPT"
    assert [0, 1, 1] == accepted(node, backend, [limited, every, later], [2000, 1000])
    assert [1, 0, 1] == accepted(node, backend, [every, limited, later], [2000, 1000])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_comment_is_met_by_every_packet(node, backend):
    """A rule with a comment matches what it matches without."""
    plain = "-p udp -m udp --dport 1000 -j ACCEPT"
    assert accepted(node, backend, [plain], [1000, 2000]) == accepted(
        node, backend, [plain.replace("-j", "-m comment --comment x -j")], [1000, 2000]
    )


def test_a_rewritten_address_is_seen_by_the_next_rule(node):
    """SNPT in ip6tables' mangle table changes the source and goes on: its place counts."""
    node.sh("ip addr add 2001:db8::1/128 dev lo; ip addr add 2001:db8:1::1/128 dev lo")
    rewrite = "-s 2001:db8::1/128 -j SNPT --src-pfx 2001:db8::/64 --dst-pfx 2001:db8:1::/64"
    later = "-s 2001:db8:1::/64 -j MARK --set-mark 1"
    send = (
        "import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('2001:db8::1', 0));"
        "s.sendto(b'x', ('2001:db8:1::1', 1000))"
    )
    counts = {}
    for order in ((rewrite, later), (later, rewrite)):
        node.run(["ip6tables-legacy", "-t", "mangle", "-F", "POSTROUTING"])
        for rule in order:
            node.run(["ip6tables-legacy", "-t", "mangle", "-A", "POSTROUTING", "-p", "udp", *rule.split()])
        node.run([sys.executable, "-c", send])
        saved = node.run(["ip6tables-legacy-save", "-c", "-t", "mangle"]).stdout
        counts[order] = re.search(r"^\[(\d+):\d+\] -A POSTROUTING .*-j MARK", saved, re.MULTILINE)[1]
    assert {(rewrite, later): "1", (later, rewrite): "0"} == counts

"""The quick look at a stage sees what the collector sees, and its digest is equal only where nothing has changed."""

from collections.abc import Iterator

import pytest
from rehearsal_node import recorded

from planner.models.node import NodeState
from planner.rehearse.stage import Stage

CHANGES = {
    "sysctl": "sysctl -w net.ipv4.conf.eth0.rp_filter=2",
    "link": "ip link set eth1 mtu 1400",
    "address": "ip addr add 10.0.9.5/24 dev eth0",
    "IPv6 address": "ip -6 addr add fd00::9/64 dev eth0 nodad",
    "route": "ip route add 10.99.0.0/16 via 10.0.0.9 table 100",
    "IPv6 route": "ip -6 route del fd01::/64",
    "route with a lock": "ip route add 10.98.0.0/16 via 10.0.0.9 mtu lock 1300",
    "policy rule": "ip rule add from 10.9.0.0/16 lookup 100 pref 50",
    "IPv6 policy rule": "ip -6 rule add from fd09::/16 lookup 100 pref 50",
    "next hop": "ip nexthop add id 10 via 10.0.0.12 dev eth0",
    "neighbour": "ip neigh del 10.0.0.7 dev eth0",
    "IPv6 neighbour": "ip -6 neigh add fd00::8 lladdr 02:00:00:00:00:78 dev eth0 nud permanent",
    "proxied address": "ip neigh add proxy 10.0.0.99 dev eth0",
    "forwarding entry": "bridge fdb append 02:00:00:00:00:34 dev vx1 dst 10.0.0.9 self permanent",
    "rule, nft": "iptables-nft -I FORWARD 2 -s 10.9.0.0/16 -j DROP",
    "order of rules": "iptables-nft -D FORWARD 1\niptables-nft -A FORWARD -s 10.244.0.0/16 -j ACCEPT",
    "policy of a chain": "iptables-nft -P FORWARD ACCEPT",
    "IPv6 rule, nft": "ip6tables-nft -A INPUT -j DROP",
    "rule, legacy": "iptables-legacy -t nat -I POSTROUTING -s 10.8.0.0/16 -j MASQUERADE",
    "IPv6 rule, legacy": "ip6tables-legacy -A INPUT -j DROP",
    "comment that looks like counters": "iptables-nft -A INPUT -m comment --comment '[8:9]'",
    "native table": "nft add rule inet own c tcp dport 10 drop",
    "ipset": "ipset add web 10.0.0.10",
    "time of an ipset": "ipset create slow hash:ip timeout 600",
    "file": "mkdir -p /etc/sysctl.d\necho net.ipv4.ip_forward=0 >/etc/sysctl.d/90.conf",
    "file with a key in it": 'mkdir -p /etc/cni/net.d\necho \'{"key": "x"}\' >/etc/cni/net.d/10.conf',
    "file that might have a key in it": 'mkdir -p /etc/cni/net.d\necho \'{"type": "flannel"}\' >/etc/cni/net.d/10.conf',
    "file that is not collected": "echo 1 >/etc/motd",
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(recorded()) as stage:
        stage.rebuild()
        yield stage


def lasting(state: NodeState) -> NodeState:
    return state.model_copy(update={"volatile": NodeState(name="").volatile})


@pytest.mark.parametrize("name", CHANGES)
def test_it_sees_what_the_collector_sees(name: str) -> None:
    """After any change, one state or the other: no fact differs, and the digest does not stay."""
    with Stage(recorded()) as stage:
        stage.rebuild()
        before = stage.look(("/etc/motd",))
        done = stage.run(("sh", "-ec", CHANGES[name]))
        assert 0 == done.status, done.stderr

        seen = stage.look(("/etc/motd",))

        assert lasting(stage.snapshot()) == lasting(seen.state())
        assert before.digest
        assert before.digest != seen.digest


def test_the_digest_stays_while_nothing_changes(stage: Stage) -> None:
    """Packets that are counted and neighbours that are learnt are no change."""
    before = stage.look()

    stage.run(
        (
            "sh",
            "-c",
            "ping -c 1 -W 1 10.0.0.9; ip neigh add 10.0.0.66 lladdr 02:00:00:00:00:66 dev eth0 nud stale",
        )
    )

    assert before.digest == stage.look().digest != ""

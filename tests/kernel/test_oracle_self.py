"""The judge alone: nodes whose answers are known from the manual pages, without any model."""

from dataclasses import replace
from random import Random

import pytest
from oracle.compare import Verdict, compare
from oracle.conntrack import Ends
from oracle.converse import converse
from oracle.flows import random_flows
from oracle.frames import ICMP6, Packet, build, checksum, parse
from oracle.hand import by_hand, describe, ping, tcp, udp
from oracle.probe import probe
from oracle.stage import Stage, Tunnel
from oracle.states import load, random_state, shrink

from planner.models.flow import Disposition, Entry, Trace


@pytest.mark.parametrize("family", ["ip", "ip6"])
@pytest.mark.parametrize("protocol", [1, 6, 17, 253])
def test_a_packet_reads_as_it_was_built(family: str, protocol: int) -> None:
    """Bytes of our own making hold what was asked for, and their checksums come out as zero."""
    ends = ("10.1.0.5", "10.2.0.9") if family == "ip" else ("fd00:1::5", "fd00:2::9")
    number = ICMP6 if family == "ip6" and protocol == 1 else protocol
    packet = Packet(*ends, number, tos=0x10, hop_limit=7, length=90, tag=77)
    if number in {6, 17}:
        packet = replace(packet, source_port=1000, destination_port=80)
    if number in {1, 58}:
        packet = replace(packet, icmp_type=128 if family == "ip6" else 8, identifier=5, sequence=6)
    data = build(packet)
    found = parse(data)
    assert found is not None
    assert 90 == len(data)
    assert packet == replace(found, body=b"")
    if family == "ip":
        assert 0 == checksum(data[:20])


def test_the_kernel_takes_our_checksums() -> None:
    """A wrong one is INVALID to conntrack (nf_conntrack_checksum), a right one is NEW."""
    rules = "*filter\n-A FORWARD -m conntrack --ctstate INVALID -j REJECT --reject-with icmp-host-prohibited\nCOMMIT"
    with by_hand(rules=rules) as node:
        for flow in (
            tcp("10.1.0.5.1000", "10.2.0.9.80"),
            udp("10.1.0.5.1000", "10.2.0.9.53"),
            ping("10.1.0.5", "10.2.0.9"),
        ):
            assert describe(node.kernel(flow)).startswith("sent by eth1 to 10.2.0.9")


def test_the_five_endings() -> None:
    """Sent on, delivered, rejected with an error, rejected with a reset, and silence are told apart."""
    rules = """
*filter
-A FORWARD -p tcp --dport 81 -j REJECT --reject-with tcp-reset
-A FORWARD -p udp --dport 82 -j REJECT --reject-with icmp-admin-prohibited
-A FORWARD -p udp --dport 83 -j DROP
COMMIT"""
    with by_hand(rules=rules) as node:
        told = [
            describe(node.kernel(flow))
            for flow in (
                tcp("10.1.0.5.1000", "10.2.0.9.80"),
                tcp("10.1.0.5.1000", "10.2.0.1.80"),
                tcp("10.1.0.5.1000", "10.2.0.9.81"),
                udp("10.1.0.5.1000", "10.2.0.9.82"),
                udp("10.1.0.5.1000", "10.2.0.9.83"),
                udp("10.1.0.5.1000", "192.0.2.1.83"),
                udp("10.1.0.5.1000", "10.2.0.9.80", hop_limit=1),
            )
        ]
    expected = [
        "sent by eth1 to 10.2.0.9: 10.1.0.5.1000 > 10.2.0.9.80",
        "delivered: 10.1.0.5.1000 > 10.2.0.1.80",
        "reset",
        "icmp 3/13",
        "silence",
        "icmp 3/0",
        "icmp 11/0",
    ]
    assert expected == told


def test_the_endings_in_ipv6() -> None:
    """The same with IPv6, where raw sockets give no header and errors have other numbers."""
    rules = """
*filter
-A FORWARD -p tcp --dport 81 -j REJECT --reject-with tcp-reset
-A FORWARD -p udp --dport 82 -j REJECT --reject-with icmp6-adm-prohibited
-A FORWARD -p udp --dport 83 -j DROP
COMMIT"""
    with by_hand(rules=rules, tool="ip6tables-nft") as node:
        told = [
            describe(node.kernel(flow))
            for flow in (
                tcp("fd00:1::5.1000", "fd00:2::9.80"),
                tcp("fd00:1::5.1000", "fd00:2::1.80"),
                tcp("fd00:1::5.1000", "fd00:2::9.81"),
                udp("fd00:1::5.1000", "fd00:2::9.82"),
                udp("fd00:1::5.1000", "fd00:2::9.83"),
                udp("fd00:1::5.1000", "2001:db8::1.83"),
                ping("fd00:1::5", "fd00:2::9", hop_limit=1),
                ping("fd00:1::5", "fd00:2::1"),
            )
        ]
    expected = [
        "sent by eth1 to fd00:2::9: fd00:1::5.1000 > fd00:2::9.80",
        "delivered: fd00:1::5.1000 > fd00:2::1.80",
        "reset",
        "icmp 1/1",
        "silence",
        "icmp 1/0",
        "icmp 3/0",
        "delivered: fd00:1::5 > fd00:2::1",
    ]
    assert expected == told


def test_translated_headers_are_read_where_the_packet_ends() -> None:
    """DNAT shows at the node's own sockets and on the wire, MASQUERADE on the wire."""
    rules = """
*nat
-A PREROUTING -d 10.96.0.1/32 -p tcp --dport 80 -j DNAT --to-destination 10.2.0.9:8080
-A PREROUTING -d 10.96.0.2/32 -p tcp --dport 80 -j DNAT --to-destination 10.2.0.1:8081
-A POSTROUTING -o eth1 -j MASQUERADE
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "sent by eth1 to 10.2.0.9: 10.2.0.1.1000 > 10.2.0.9.8080" == describe(
            node.kernel(tcp("10.1.0.5.1000", "10.96.0.1.80"))
        )
        assert "delivered: 10.1.0.5.1000 > 10.2.0.1.8081" == describe(
            node.kernel(tcp("10.1.0.5.1000", "10.96.0.2.80"))
        )


def test_states_of_conntrack_are_real() -> None:
    """ESTABLISHED and RELATED come from an entry in the kernel's table, INVALID from the packet itself."""
    rules = """
*filter
-A FORWARD -m conntrack --ctstate NEW -j REJECT --reject-with icmp-net-unreachable
-A FORWARD -m conntrack --ctstate ESTABLISHED -j REJECT --reject-with icmp-net-prohibited
-A FORWARD -m conntrack --ctstate INVALID -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -m conntrack ! --ctstate RELATED -j ACCEPT
-A FORWARD -j DROP
COMMIT"""
    with by_hand(rules=rules) as node:
        for flow, expected in (
            (tcp("10.1.0.5.1000", "10.2.0.9.80"), "icmp 3/0"),
            (tcp("10.1.0.5.1000", "10.2.0.9.80", tcp_flags=16, state="ESTABLISHED"), "icmp 3/9"),
            (tcp("10.1.0.5.1000", "10.2.0.9.80", tcp_flags=16, state="INVALID"), "icmp 3/10"),
            (udp("10.1.0.5.1000", "10.2.0.9.80", state="ESTABLISHED"), "icmp 3/9"),
            (ping("10.1.0.5", "10.2.0.9", state="ESTABLISHED"), "icmp 3/9"),
            (ping("10.1.0.5", "10.2.0.9", icmp_type=3, icmp_code=1, state="RELATED"), "silence"),
        ):
            assert expected == describe(node.kernel(flow)), flow


def test_silence_has_its_counter() -> None:
    """The kernel counts what rp_filter took, what had no route, and what a link does not forward."""
    setup = "sysctl -qw net.ipv4.conf.eth0.rp_filter=1; sysctl -qw net.ipv4.conf.eth1.forwarding=0"
    with by_hand(setup=setup, rules="*filter\n-A OUTPUT -p icmp -j DROP\nCOMMIT") as node:
        assert "silence (rp_filter)" == describe(node.kernel(udp("10.2.0.5.1000", "10.2.0.9.80")))
        assert "silence (not forwarded)" == describe(node.kernel(udp("10.2.0.5.1000", "10.1.0.9.80", "eth1")))
        assert "silence (no route)" == describe(node.kernel(udp("10.1.0.5.1000", "192.0.2.9.80")))


def test_packets_of_the_node_itself() -> None:
    """Real sockets: routing errors come back as such, a user's own rules see the user, an own address is reached."""
    rules = """
*filter
-A OUTPUT -m owner --uid-owner 1000 -p udp --dport 82 -j DROP
-A OUTPUT -m owner --uid-owner 1000 -p tcp --dport 82 -j REJECT --reject-with tcp-reset
COMMIT"""
    setup = "ip route add blackhole 192.0.2.0/24; ip route add prohibit 198.51.100.0/24"
    user = Entry(user=1000)
    with by_hand(rules=rules, setup=setup) as node:
        for flow, expected in (
            (
                tcp("10.2.0.1.1000", "10.2.0.9.82", ""),
                "sent by eth1 to 10.2.0.9: 10.2.0.1.1000 > 10.2.0.9.82",
            ),
            (udp("10.2.0.1.1000", "10.2.0.9.82", entry=user), "silence"),
            (tcp("10.2.0.1.1000", "10.2.0.9.82", entry=user), "reset"),
            (udp("10.2.0.1.1000", "10.1.0.1.53", ""), "delivered: 10.2.0.1.1000 > 10.1.0.1.53"),
            (udp("10.2.0.1.1000", "203.0.113.1.53", ""), "ENETUNREACH"),
            (udp("10.2.0.1.1000", "192.0.2.1.53", ""), "EINVAL"),
            (udp("10.2.0.1.1000", "198.51.100.1.53", ""), "EACCES"),
        ):
            assert expected == describe(node.kernel(flow)), flow


def test_a_bridge_shows_the_port() -> None:
    """A frame between two pods crosses the bridge; one to the bridge's own address is routed."""
    with Stage() as stage:
        state = replace(
            random_state(0),
            family="ip",
            links=2,
            bridge=True,
            mtus=(),
            secondaries=(),
            sysctls=(("net/ipv4/ip_forward", "1"),),
            routes=(),
            policy_rules=(),
            sets=(),
            rules=(),
            backends=(),
        )
        load(stage, state)
        pods = state.pool.hosts(2)
        bridged = udp(
            f"{pods[0]}.1000",
            f"{pods[1]}.53",
            entry=Entry(link="br0", bridge_port="veth1", to_router=False, out_port="veth2"),
        )
        bridged = bridged.model_copy(update={"source_mac": ""})
        assert f"bridged to veth2: {pods[0]}.1000 > {pods[1]}.53" == describe(probe(stage, bridged))
        routed = udp(f"{pods[0]}.1000", "10.1.0.9.53", entry=Entry(link="br0", bridge_port="veth1"))
        assert f"sent by eth0 to 10.1.0.9: {pods[0]}.1000 > 10.1.0.9.53" == describe(probe(stage, routed))
        back = udp("10.1.0.9.1000", f"{pods[2]}.53")
        assert f"sent by br0 to {pods[2]}: 10.1.0.9.1000 > {pods[2]}.53" == describe(probe(stage, back))


def test_a_tunnel_is_looked_into() -> None:
    """What leaves by vxlan is found inside the frame of the link below; what arrives by it was wrapped."""
    setup = """
ip link add vx0 address 52:54:00:00:00:33 type vxlan id 7 dev eth1 local 10.2.0.1 dstport 8472 nolearning
ip link set vx0 up
ip neigh add 10.244.2.0 lladdr 52:54:00:00:00:44 dev vx0 nud permanent
bridge fdb append 52:54:00:00:00:44 dev vx0 dst 10.2.0.9
ip route add 10.244.2.0/24 via 10.244.2.0 dev vx0 onlink"""
    with by_hand(setup=setup) as node:
        node.tunnels["vx0"] = Tunnel("eth1", "10.2.0.1", "10.2.0.9", vni=7)
        node.macs["vx0"] = "52:54:00:00:00:33"
        node.knows("10.244.2.0", "52:54:00:00:00:44")
        out = tcp("10.1.0.5.1000", "10.244.2.7.80")
        assert "sent by vx0 to 10.244.2.0: 10.1.0.5.1000 > 10.244.2.7.80" == describe(node.kernel(out))
        back = tcp("10.244.2.7.1000", "10.1.0.5.80", "vx0")
        assert "sent by eth0 to 10.1.0.5: 10.244.2.7.1000 > 10.1.0.5.80" == describe(node.kernel(back))


def test_the_same_seed_is_the_same_state_and_the_same_flows() -> None:
    """A seed that is printed today can be judged again tomorrow."""
    for seed in range(30):
        state = random_state(seed)
        assert state == random_state(seed)
        assert list(random_flows(state, Random(1), 20)) == list(random_flows(state, Random(1), 20))
    assert len({str(random_state(seed)) for seed in range(30)}) == 30


def test_a_state_shrinks_to_what_matters() -> None:
    """Everything that can be taken away is taken away: here all but one rule that drops."""
    state = next(s for s in map(random_state, range(200)) if any("-j DROP" in r.text for r in s.rules))
    small = shrink(state, lambda s: any("-j DROP" in rule.text for rule in s.rules))
    assert [1, 0, 0, 0] == [len(small.rules), len(small.routes), len(small.sysctls), len(small.policy_rules)]


def test_answers_do_not_change_from_one_time_to_the_next() -> None:
    """No flake: the same flows on the same node end in the same way, each time (chance rules left out)."""
    for seed in (3, 14, 15):
        state = random_state(seed)
        state = replace(state, rules=tuple(r for r in state.rules if "statistic" not in r.text))
        flows = list(random_flows(state, Random(seed), 40))
        rounds = []
        for _ in range(2):
            with Stage() as stage:
                load(stage, state)
                rounds.append([describe(probe(stage, flow)) for flow in flows])
        assert rounds[0] == rounds[1]


SENT = tcp("10.1.0.5.1000", "10.2.0.9.80")
LEFT = SENT.model_copy(update={"hop_limit": 63})
RIGHT = Trace(flow=SENT, disposition=Disposition.SENT, link="eth1", next_hop="10.2.0.9", after=LEFT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"disposition": Disposition.DELIVERED},
        {"disposition": Disposition.DROPPED},
        {"link": "eth0"},
        {"next_hop": "10.2.0.254"},
        {"after": LEFT.model_copy(update={"source": "10.2.0.1"})},
        {"after": LEFT.model_copy(update={"destination": "10.2.0.6"})},
        {"after": LEFT.model_copy(update={"source_port": 1001})},
        {"after": LEFT.model_copy(update={"destination_port": 8080})},
        {"after": LEFT.model_copy(update={"hop_limit": 64})},
        {"after": LEFT.model_copy(update={"tos": 16})},
    ],
)
def test_a_model_that_is_wrong_in_one_thing_disagrees(wrong: dict[str, object]) -> None:
    """Each part of what is compared can make the difference; what is unknown is no agreement."""
    with by_hand() as node:
        answer = node.kernel(tcp("10.1.0.5.1000", "10.2.0.9.80"))
    assert Verdict.AGREE == compare(SENT, answer, [RIGHT]).verdict
    mistaken = RIGHT.model_copy(update=wrong)
    assert Verdict.DISAGREE == compare(SENT, answer, [mistaken]).verdict
    assert Verdict.AGREE == compare(SENT, answer, [mistaken, RIGHT]).verdict
    unknown = RIGHT.model_copy(update={"disposition": Disposition.UNKNOWN})
    assert Verdict.UNKNOWN == compare(SENT, answer, [unknown]).verdict


@pytest.mark.parametrize("kind", ["icmp-net-unreachable", "icmp-host-unreachable", "tcp-reset"])
def test_the_kind_of_an_error_is_compared(kind: str) -> None:
    """Another type, code or a reset is a disagreement."""
    with by_hand(rules="*filter\n-A FORWARD -j REJECT --reject-with icmp-port-unreachable\nCOMMIT") as node:
        answer = node.kernel(tcp("10.1.0.5.1000", "10.2.0.9.80"))
    right = Trace(flow=SENT, disposition=Disposition.REJECTED, reject_kind="icmp-port-unreachable")
    assert Verdict.AGREE == compare(SENT, answer, [right]).verdict
    assert Verdict.DISAGREE == compare(SENT, answer, [right.model_copy(update={"reject_kind": kind})]).verdict


def test_silences_with_a_counter_are_told_apart() -> None:
    """A drop by a rule is no rp_filter drop, and the other way round."""
    with by_hand(
        setup="sysctl -qw net.ipv4.conf.eth0.rp_filter=1", rules="*filter\n-A FORWARD -j DROP\nCOMMIT"
    ) as node:
        filtered = node.kernel(udp("10.2.0.5.1000", "10.2.0.9.80"))
        dropped = node.kernel(udp("10.1.0.5.1000", "10.2.0.9.80"))
    for answer, right, wrong in (
        (filtered, Disposition.RP_FILTER, Disposition.DROPPED),
        (dropped, Disposition.DROPPED, Disposition.RP_FILTER),
        (dropped, Disposition.DROPPED, Disposition.NO_ROUTE),
        (dropped, Disposition.DROPPED, Disposition.SENT),
    ):
        assert Verdict.AGREE == compare(SENT, answer, [Trace(flow=SENT, disposition=right)]).verdict
        assert Verdict.DISAGREE == compare(SENT, answer, [Trace(flow=SENT, disposition=wrong)]).verdict


def test_the_table_of_connections_is_read() -> None:
    """A first packet leaves one entry, with the answer as it must look when it arrives; the answer marks it as answered."""
    rules = """
*nat
-A PREROUTING -p udp -d 10.96.0.1/32 -j DNAT --to-destination 10.2.0.9:5353
-A POSTROUTING -o eth1 -j MASQUERADE
COMMIT
*mangle
-A PREROUTING -i eth0 -j CONNMARK --set-mark 7
COMMIT"""
    flow = udp("10.1.0.5.1000", "10.96.0.1.53")
    with by_hand(rules=rules) as node:
        node.kernel(flow)
        (entry,) = node.conntrack.entries()
        assert Ends("10.1.0.5", "10.96.0.1", 1000, 53) == entry.original
        assert Ends("10.2.0.9", "10.2.0.1", 5353, 1000) == entry.reply
        assert (17, 7, False) == (entry.protocol, entry.mark, entry.answered)

        assert 2 == len(list(converse(node, flow)))
        (entry,) = node.conntrack.entries()
        assert entry.answered

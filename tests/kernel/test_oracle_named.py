"""What Linux does with one packet, a rule a test: the kernel is asked, and the model must say the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
from oracle.compare import Verdict, compare
from oracle.converse import converse
from oracle.hand import by_hand, describe, model, ping, tcp, udp
from oracle.stage import mac_of
from plan_node import observe

from planner.models.flow import Entry, Flow

USER, ROOT = Entry(user=1000), Entry(user=0)


# --- routing ---------------------------------------------------------------------------------------------------


def test_a_rule_for_the_link_of_departure_decides_the_reverse_path() -> None:
    """The reverse lookup has the link of *departure* as its `iif` (net/ipv4/fib_frontend.c, __fib_validate_source)."""
    setup = """
sysctl -qw net.ipv4.conf.eth0.rp_filter=1
ip route add default via 10.2.0.254 dev eth1
ip route add 172.16.1.0/24 via 10.1.0.254 dev eth0 table 100
ip rule add pref 100 iif {} lookup 100"""
    flow = udp("172.16.1.5.1000", "192.0.2.7.53")
    with by_hand(setup=setup.format("eth1")) as node:
        assert "sent by eth1 to 10.2.0.254: 172.16.1.5.1000 > 192.0.2.7.53" == node.outcome(flow)
    with by_hand(setup=setup.format("eth0")) as node:
        assert "silence (rp_filter)" == node.outcome(flow)


def test_the_reverse_path_of_what_is_delivered_comes_in_by_lo() -> None:
    """For a packet to the node itself the reverse lookup's `iif` is lo."""
    setup = """
sysctl -qw net.ipv4.conf.eth0.rp_filter=1
ip route add 172.16.1.0/24 via 10.1.0.254 dev eth0 table 100
ip rule add pref 100 iif {} lookup 100"""
    flow = udp("172.16.1.5.1000", "10.2.0.1.53")
    with by_hand(setup=setup.format("lo")) as node:
        assert "delivered: 172.16.1.5.1000 > 10.2.0.1.53" == node.outcome(flow)
    with by_hand(setup=setup.format("eth0")) as node:
        assert "silence (rp_filter)" == node.outcome(flow)


@pytest.mark.parametrize(
    ("everywhere", "own", "expected"),
    [
        (0, 0, "sent"),
        (1, 0, "silence"),
        (0, 1, "silence"),
        (1, 1, "silence"),
        (2, 1, "sent"),
        (1, 2, "sent"),
        (2, 0, "sent"),
    ],
)
def test_rp_filter_is_the_larger_of_two(everywhere: int, own: int, expected: str) -> None:
    """Loose (2) wins over strict (1), wherever it stands."""
    setup = f"sysctl -qw net.ipv4.conf.all.rp_filter={everywhere} net.ipv4.conf.eth0.rp_filter={own}"
    with by_hand(setup=setup) as node:
        assert expected == node.outcome(udp("10.2.0.5.1000", "10.2.0.9.53")).split()[0]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("true", "delivered"),
        ("ip rule add pref 50 iif eth1 ipproto tcp dport 9 lookup main", "silence"),
    ],
)
def test_ports_in_rules_for_lo_alone_are_not_looked_at(more: str, expected: str) -> None:
    """Arriving packets are dissected only where a rule needs it, and one for `iif lo` does not count (fib_rules.h)."""
    setup = f"""
sysctl -qw net.ipv4.conf.all.rp_filter=2
ip rule add pref 100 iif lo ipproto udp sport 53 blackhole
{more}"""
    with by_hand(setup=setup) as node:
        assert expected == node.outcome(udp("10.1.0.5.1000", "10.1.0.1.53")).split()[0].strip(":")


def test_loose_rp_filter_wants_some_route() -> None:
    """Loose asks only whether a route leads back at all."""
    with by_hand(setup="sysctl -qw net.ipv4.conf.all.rp_filter=2") as node:
        assert "silence (rp_filter)" == node.outcome(udp("172.16.1.5.1000", "10.2.0.9.53"))


@pytest.mark.parametrize(("valid", "expected"), [(0, "silence (rp_filter)"), (1, "sent by eth1 to 10.2.0.9")])
def test_the_mark_counts_in_the_reverse_path_with_src_valid_mark(valid: int, expected: str) -> None:
    """A reverse route that only a fwmark rule finds."""
    setup = f"""
sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.src_valid_mark={valid}
ip route add 172.16.1.0/24 via 10.1.0.254 dev eth0 table 100
ip rule add pref 100 fwmark 7 lookup 100
ip route add 10.2.0.0/24 dev eth1 table 100"""
    rules = "*mangle\n-A PREROUTING -j MARK --set-mark 7\nCOMMIT"
    with by_hand(setup=setup, rules=rules) as node:
        assert expected == node.outcome(udp("172.16.1.5.1000", "10.2.0.9.53")).split(":")[0]


def test_the_reverse_path_is_asked_after_dnat() -> None:
    """With the destination after DNAT: a policy rule for it finds the way back."""
    setup = """
sysctl -qw net.ipv4.conf.all.rp_filter=1
ip route add 172.16.1.0/24 via 10.1.0.254 dev eth0 table 100
ip rule add pref 100 from 10.2.0.9 lookup 100"""
    rules = "*nat\n-A PREROUTING -d 10.2.0.6/32 -j DNAT --to-destination 10.2.0.9\nCOMMIT"
    with by_hand(setup=setup, rules=rules) as node:
        assert "sent by eth1 to 10.2.0.9: 172.16.1.5.1000 > 10.2.0.9.53" == node.outcome(
            udp("172.16.1.5.1000", "10.2.0.6.53")
        )


@pytest.mark.parametrize(
    ("kind", "expected", "own"),
    [
        ("ip route add blackhole 192.0.2.0/24", "silence", "EINVAL"),
        ("ip route add unreachable 192.0.2.0/24", "icmp 3/1", "EHOSTUNREACH"),
        ("ip route add prohibit 192.0.2.0/24", "icmp 3/13", "EACCES"),
        ("ip route add throw 192.0.2.0/24; ip route add default via 10.2.0.254", "icmp 3/0", "ENETUNREACH"),
        ("ip rule add pref 9 to 192.0.2.0/24 unreachable", "icmp 3/0", "ENETUNREACH"),
        ("ip rule add pref 9 to 192.0.2.0/24 prohibit", "icmp 3/13", "EACCES"),
        ("ip rule add pref 9 to 192.0.2.0/24 blackhole", "silence", "EINVAL"),
        ("true", "icmp 3/0", "ENETUNREACH"),
    ],
)
def test_refusals_of_routing(kind: str, expected: str, own: str) -> None:
    """A policy rule `unreachable` answers for the network, a route of that type for the host; programs get an error."""
    with by_hand(setup=kind) as node:
        assert expected == node.outcome(udp("10.1.0.5.1000", "192.0.2.7.53"))
        assert own == node.outcome(udp("10.1.0.1.1000", "192.0.2.7.53", ""))


def test_a_throw_goes_on_with_the_next_rule() -> None:
    """`throw` ends the table, not the lookup."""
    setup = """
ip route add throw 192.0.2.0/24 table 100
ip route add 0.0.0.0/0 via 10.1.0.254 table 100
ip rule add pref 100 lookup 100
ip route add default via 10.2.0.254"""
    with by_hand(setup=setup) as node:
        assert (
            "sent by eth1 to 10.2.0.254" == node.outcome(udp("10.1.0.5.1000", "192.0.2.7.53")).split(":")[0]
        )


def test_a_link_that_does_not_forward_is_silent() -> None:
    """Forwarding is asked of the link of arrival; its routing errors are not told either."""
    setup = "sysctl -qw net.ipv4.conf.eth0.forwarding=0; ip route add unreachable 192.0.2.0/24"
    with by_hand(setup=setup) as node:
        assert "silence (not forwarded)" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53"))
        assert "silence (not forwarded)" == node.outcome(udp("10.1.0.5.1000", "192.0.2.9.53"))
        assert (
            "sent by eth0 to 10.1.0.9"
            == node.outcome(udp("10.2.0.5.1000", "10.1.0.9.53", "eth1")).split(":")[0]
        )


def test_one_link_may_forward_alone() -> None:
    """`ip_forward` off and one link on: what arrives there goes on, the answer does not."""
    setup = "sysctl -qw net.ipv4.ip_forward=0; sysctl -qw net.ipv4.conf.eth0.forwarding=1"
    with by_hand(setup=setup) as node:
        assert "sent by eth1 to 10.2.0.9" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53")).split(":")[0]
        assert "silence (not forwarded)" == node.outcome(udp("10.2.0.9.53", "10.1.0.5.1000", "eth1"))


@pytest.mark.parametrize(
    ("rule", "expected"), [("true", "sent"), ("ip rule add pref 100 lookup 100", "silence")]
)
def test_any_policy_rule_makes_the_check_of_sources_a_full_one(rule: str, expected: str) -> None:
    """With rp_filter off, a broadcast address as source is refused only where there are rules (fib_validate_source)."""
    with by_hand(setup=rule) as node:
        assert expected == node.outcome(udp("10.2.0.255.1000", "10.2.0.9.53")).split()[0]


@pytest.mark.parametrize(("accept", "expected"), [(0, "silence"), (1, "sent")])
def test_an_own_address_as_source(accept: int, expected: str) -> None:
    """Is a martian, unless `accept_local` says otherwise."""
    with by_hand(setup=f"sysctl -qw net.ipv4.conf.eth0.accept_local={accept}") as node:
        assert expected == node.outcome(udp("10.2.0.1.1000", "10.2.0.9.53")).split()[0]


def test_loopback_addresses_from_outside() -> None:
    """127/8 as source or destination is a martian."""
    with by_hand() as node:
        assert "silence" == node.outcome(udp("127.0.0.1.1000", "10.2.0.9.53"))
        assert "silence" == node.outcome(udp("10.1.0.5.1000", "127.0.0.1.53"))


@pytest.mark.parametrize(
    ("localnet", "expected"), [(0, "silence"), (1, "delivered: 10.1.0.5.1000 > 127.0.0.1.53")]
)
def test_dnat_to_loopback_needs_route_localnet(localnet: int, expected: str) -> None:
    """Of the link of arrival."""
    rules = "*nat\n-A PREROUTING -d 10.1.0.1/32 -j DNAT --to-destination 127.0.0.1\nCOMMIT"
    with by_hand(setup=f"sysctl -qw net.ipv4.conf.eth0.route_localnet={localnet}", rules=rules) as node:
        assert expected == node.outcome(udp("10.1.0.5.1000", "10.1.0.1.53"))


@pytest.mark.parametrize(("everywhere", "own"), [(0, 0), (1, 0), (0, 1)])
def test_a_broadcast_is_delivered_unless_both_say_forward(everywhere: int, own: int) -> None:
    """bc_forwarding counts where it is on for all and for the link (IN_DEV_ANDCONF)."""
    setup = f"sysctl -qw net.ipv4.conf.all.bc_forwarding={everywhere} net.ipv4.conf.eth0.bc_forwarding={own}"
    with by_hand(setup=setup) as node:
        flow = udp("10.1.0.5.1000", "10.1.0.255.53")
        assert "delivered: 10.1.0.5.1000 > 10.1.0.255.53" == node.outcome(flow)
        assert "delivered: 10.1.0.5.1000 > 10.1.0.255.53" == node.grouped(flow)


@pytest.mark.parametrize(
    ("everywhere", "own", "expected"),
    [(0, 0, "silence"), (1, 0, "sent"), (0, 1, "sent"), (1, 1, "sent")],
)
def test_one_link_may_be_told_to_forward_ipv6(everywhere: int, own: int, expected: str) -> None:
    """force_forwarding of the link of entry counts beside the node's forwarding (ip6_output.c, ip6_forward)."""
    setup = f"""
sysctl -qw net.ipv6.conf.all.forwarding={everywhere}
test -e /proc/sys/net/ipv6/conf/eth0/force_forwarding || exit 0
sysctl -qw net.ipv6.conf.eth0.force_forwarding={own} net.ipv6.conf.eth1.force_forwarding=0"""
    with by_hand(setup=setup) as node:
        if not everywhere and own and not Path("/proc/sys/net/ipv6/conf/all/force_forwarding").exists():
            expected = "silence"
        flow = udp("fd00:1::5.1000", "fd00:2::9.53")
        assert expected == node.outcome(flow).split()[0]
        assert expected == node.grouped(flow).split()[0]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ipproto udp lookup 100", "silence"),
        ("ipproto tcp lookup 100", "sent"),
        ("ipproto udp sport 1000 lookup 100", "sent"),
        ("ipproto udp dport 1000 lookup 100", "sent"),
    ],
)
def test_the_source_check_of_a_rule_of_ipv6_has_the_protocol_and_no_ports(rule: str, expected: str) -> None:
    """ip6t_rpfilter.c, rpfilter_lookup_reverse6(): a policy rule that asks for ports is never met."""
    setup = f"""
ip -6 route add unreachable fd00:1::/64 table 100
ip -6 rule add pref 100 iif lo {rule}"""
    rules = "*mangle\n-A PREROUTING -m rpfilter --invert -j DROP\nCOMMIT"
    with by_hand(setup=setup, rules=rules, tool="ip6tables-nft") as node:
        flow = udp("fd00:1::5.1000", "fd00:2::9.53")
        assert expected == node.outcome(flow).split()[0]
        assert expected == node.grouped(flow).split()[0]


def test_the_longest_prefix_then_tos_then_metric() -> None:
    """Of equal prefixes the one with the packet's TOS, else the one without; then the smallest metric."""
    setup = """
ip route add 192.0.2.0/24 via 10.1.0.6 metric 5
ip route add 192.0.2.0/24 via 10.1.0.9 metric 7
ip route add 192.0.2.0/24 tos 0x10 via 10.2.0.6 metric 50
ip route add 192.0.2.128/25 via 10.2.0.9 metric 900"""
    with by_hand(setup=setup) as node:
        assert "sent by eth0 to 10.1.0.6" == node.outcome(udp("10.1.0.5.1000", "192.0.2.7.53")).split(":")[0]
        assert (
            "sent by eth1 to 10.2.0.6"
            == node.outcome(udp("10.1.0.5.1000", "192.0.2.7.53", tos=16)).split(":")[0]
        )
        assert (
            "sent by eth1 to 10.2.0.9" == node.outcome(udp("10.1.0.5.1000", "192.0.2.200.53")).split(":")[0]
        )


@pytest.mark.parametrize(
    ("selector", "hit", "missed"),
    [
        ("from 10.1.0.4/31", {}, {"source": "10.1.0.6"}),
        ("to 192.0.2.0/29", {}, {"destination": "192.0.2.9"}),
        ("iif eth0", {}, {"entry": Entry(link="eth1"), "source": "10.2.0.5"}),
        ("not iif eth1", {}, {"entry": Entry(link="eth1"), "source": "10.2.0.5"}),
        ("tos 0x10", {"tos": 0x10}, {"tos": 0x08}),
        ("ipproto udp", {}, {"protocol": 6}),
        ("ipproto udp dport 50-60", {}, {"destination_port": 61}),
        ("ipproto udp sport 1000", {}, {"source_port": 1001}),
        ("not ipproto tcp", {}, {"protocol": 6}),
        ("fwmark 0/1", {}, {"tos": 0xB8}),
        ("fwmark 1/1", {"tos": 0xB8}, {}),
    ],
)
def test_selectors_of_policy_rules(selector: str, hit: dict[str, object], missed: dict[str, object]) -> None:
    """Each one, with a packet that it selects and one that it does not."""
    setup = f"""
ip route add default via 10.2.0.254
ip route add default via 10.1.0.254 table 100
ip rule add pref 100 {selector} lookup 100"""
    rules = "*mangle\n-A PREROUTING -m tos --tos 0xb8 -j MARK --set-mark 3\nCOMMIT"
    flow = udp("10.1.0.5.1000", "192.0.2.7.53")
    with by_hand(setup=setup, rules=rules) as node:
        assert "sent by eth0 to 10.1.0.254" == node.outcome(flow.model_copy(update=hit)).split(":")[0]
        assert "sent by eth1 to 10.2.0.254" == node.outcome(flow.model_copy(update=missed)).split(":")[0]


def test_a_suppressed_default_route() -> None:
    """`suppress_prefixlength 0` takes what main knows but its default route."""
    setup = """
ip route add default via 10.2.0.254
ip route add 192.0.2.0/24 via 10.2.0.9
ip route add default via 10.1.0.254 table 100
ip rule add pref 100 lookup main suppress_prefixlength 0
ip rule add pref 101 lookup 100"""
    with by_hand(setup=setup) as node:
        assert "sent by eth1 to 10.2.0.9" == node.outcome(udp("10.1.0.5.1000", "192.0.2.7.53")).split(":")[0]
        assert (
            "sent by eth0 to 10.1.0.254"
            == node.outcome(udp("10.1.0.5.1000", "198.51.100.7.53")).split(":")[0]
        )


def test_goto_in_policy_rules() -> None:
    """Skips what lies between."""
    setup = """
ip route add default via 10.2.0.254
ip rule add pref 200 nop
ip rule add pref 150 iif eth0 prohibit
ip rule add pref 100 from 10.1.0.5 goto 200"""
    with by_hand(setup=setup) as node:
        assert (
            "sent by eth1 to 10.2.0.254" == node.outcome(udp("10.1.0.5.1000", "192.0.2.7.53")).split(":")[0]
        )
        assert "icmp 3/13" == node.outcome(udp("10.1.0.6.1000", "192.0.2.7.53"))


def test_the_local_table_behind_another_rule() -> None:
    """Where the local rule was moved, a route to an own address sends it away."""
    setup = """
ip rule add pref 500 lookup local
ip rule del pref 0
ip route add 10.2.0.1/32 via 10.2.0.254 table 100
ip rule add pref 100 to 10.2.0.1 iif eth0 lookup 100"""
    with by_hand(setup=setup) as node:
        assert "sent by eth1 to 10.2.0.254" == node.outcome(udp("10.1.0.5.1000", "10.2.0.1.53")).split(":")[0]


def test_of_several_paths_any_may_be_taken() -> None:
    """Multipath: the seed of the hash is not known, so the model names all."""
    setup = "ip route add default nexthop via 10.1.0.254 nexthop via 10.2.0.254"
    with by_hand(setup=setup) as node:
        taken = {node.outcome(udp(f"10.1.0.{n}.1000", f"192.0.2.{n}.53")).split(":")[0] for n in range(5, 45)}
    assert {"sent by eth0 to 10.1.0.254", "sent by eth1 to 10.2.0.254"} == taken


def test_the_hop_limit_ends_before_forward() -> None:
    """A packet whose hop limit ends is told of it, whatever FORWARD says (net/ipv4/ip_forward.c)."""
    with by_hand(rules="*filter\n:FORWARD DROP [0:0]\nCOMMIT") as node:
        assert "icmp 11/0" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53", hop_limit=1))
        assert "silence" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53", hop_limit=2))
        assert "delivered" == node.outcome(udp("10.1.0.5.1000", "10.1.0.1.53", hop_limit=1)).split(":")[0]


def test_what_is_too_big_comes_back() -> None:
    """Not to be fragmented, larger than the link's MTU: the sender is told, before FORWARD drops it."""
    rules = "*filter\n-A FORWARD -j DROP\nCOMMIT"
    with by_hand(setup="ip link set eth1 mtu 1300", rules=rules) as node:
        assert "icmp 3/4" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53", length=1400))
        assert "silence" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53", length=1300))


def test_what_is_too_big_for_the_route() -> None:
    """A route may have an MTU of its own; it counts for forwarding only when locked or with ip_forward_use_pmtu."""
    setup = "ip route add 192.0.2.0/24 via 10.2.0.254 mtu {}"
    flow = udp("10.1.0.5.1000", "192.0.2.7.53", length=1400)
    with by_hand(setup=setup.format("1300")) as node:
        free = node.outcome(flow)
    with by_hand(setup=setup.format("lock 1300")) as node:
        locked = node.outcome(flow)
    assert ("icmp 3/4", "icmp 3/4") == (free, locked)


# --- order of tables and hooks ---------------------------------------------------------------------------------


def test_tables_of_output_see_the_mark_of_the_one_before() -> None:
    """raw, mangle, nat, filter."""
    rules = """
*raw
-A OUTPUT -j MARK --set-mark 1
COMMIT
*mangle
-A OUTPUT -m mark --mark 1 -j MARK --set-mark 2
COMMIT
*nat
-A OUTPUT -m mark --mark 2 -j MARK --set-mark 3
-A POSTROUTING -o eth7 -j MASQUERADE
COMMIT
*filter
-A OUTPUT -m conntrack --ctstate NEW -m mark --mark 3 -j REJECT --reject-with icmp-net-prohibited
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "icmp 3/9" == node.outcome(udp("10.1.0.1.1000", "10.1.0.9.53", ""))


def test_tables_of_a_forwarded_packet_see_the_mark_of_the_one_before() -> None:
    """raw, mangle, nat of PREROUTING; mangle, filter of FORWARD; mangle, nat of POSTROUTING."""
    rules = """
*raw
-A PREROUTING -j MARK --set-mark 1
COMMIT
*mangle
-A PREROUTING -m mark --mark 1 -j MARK --set-mark 2
-A FORWARD -m mark --mark 3 -j MARK --set-mark 4
-A POSTROUTING -m mark --mark 5 -j MARK --set-mark 6
COMMIT
*nat
-A PREROUTING -m mark --mark 2 -j MARK --set-mark 3
-A POSTROUTING -m mark --mark 6 -j SNAT --to-source 10.2.0.77
COMMIT
*filter
-A FORWARD -m mark ! --mark 4 -j DROP
-A FORWARD -j MARK --set-mark 5
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "sent by eth1 to 10.2.0.9: 10.2.0.77.1000 > 10.2.0.9.53" == node.outcome(
            udp("10.1.0.5.1000", "10.2.0.9.53")
        )


def test_nat_has_an_input_chain() -> None:
    """SNAT there changes the source that the program sees."""
    rules = "*nat\n-A INPUT -p udp -j SNAT --to-source 10.1.0.66\nCOMMIT"
    with by_hand(rules=rules) as node:
        assert "delivered: 10.1.0.66.1000 > 10.1.0.1.53" == node.outcome(udp("10.1.0.5.1000", "10.1.0.1.53"))


@pytest.mark.parametrize(("tool"), ["iptables-nft", "iptables-legacy"])
def test_nat_sleeps_until_something_needs_conntrack(tool: str) -> None:
    """A nat chain that translates nothing is not run; an unrelated `-m conntrack` elsewhere wakes it."""
    marks = "*nat\n-A PREROUTING -j MARK --set-mark 1\nCOMMIT\n*filter\n-A FORWARD -m mark --mark 1 -j DROP\n{}COMMIT"
    flow = udp("10.1.0.5.1000", "10.2.0.9.53")
    with by_hand(rules=marks.format(""), tool=tool) as node:
        assert "sent" == node.outcome(flow).split()[0]
    with by_hand(rules=marks.format("-A INPUT -m conntrack --ctstate INVALID -j DROP\n"), tool=tool) as node:
        assert "silence" == node.outcome(flow)


def test_the_first_packet_alone_is_translated() -> None:
    """A later packet of a connection does not see the rules of nat, and keeps what was bound at its start."""
    rules = "*nat\n-A PREROUTING -p tcp -j DNAT --to-destination 10.2.0.6\nCOMMIT"
    with by_hand(rules=rules) as node:
        first = tcp("10.1.0.5.1000", "10.2.0.9.80")
        assert "sent by eth1 to 10.2.0.6: 10.1.0.5.1000 > 10.2.0.6.80" == node.outcome(first)
        later = first.model_copy(update={"state": "ESTABLISHED", "tcp_flags": 16})
        assert "sent by eth1 to 10.2.0.9: 10.1.0.5.1000 > 10.2.0.9.80" == node.outcome(later)
        invalid = first.model_copy(update={"state": "INVALID", "tcp_flags": 16})
        assert "sent by eth1 to 10.2.0.9: 10.1.0.5.1000 > 10.2.0.9.80" == node.outcome(invalid)


def test_untracked_packets_are_not_translated() -> None:
    """NOTRACK in raw: state UNTRACKED, no nat."""
    rules = """
*raw
-A PREROUTING -p udp -j CT --notrack
COMMIT
*nat
-A PREROUTING -j DNAT --to-destination 10.2.0.6
COMMIT
*filter
-A FORWARD -m conntrack --ctstate UNTRACKED -p udp --dport 54 -j REJECT
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "sent by eth1 to 10.2.0.6" == node.outcome(tcp("10.1.0.5.1000", "10.2.0.9.80")).split(":")[0]
        assert "sent by eth1 to 10.2.0.9" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53")).split(":")[0]
        assert "icmp 3/3" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.54"))


@pytest.mark.parametrize(
    ("to", "expected"), [("10.2.0.9", "sent"), ("10.2.0.9:80", "sent"), ("10.2.0.6", "silence")]
)
def test_dnat_to_where_it_goes_already_is_none(to: str, expected: str) -> None:
    """`--ctstate DNAT` asks whether the destination was changed (net/netfilter/nf_nat_core.c, nf_nat_setup_info)."""
    rules = f"""
*nat
-A PREROUTING -p tcp -j DNAT --to-destination {to}
COMMIT
*filter
-A FORWARD -m conntrack --ctstate DNAT -j DROP
COMMIT"""
    with by_hand(rules=rules) as node:
        assert expected == node.outcome(tcp("10.1.0.5.1000", "10.2.0.9.80")).split()[0]


NFT = """
table inet guard {{
  set hosts {{ type ipv4_addr; flags interval; elements = {{ 10.1.0.64/26, 10.1.0.9 }} }}
  map doors {{ type inet_service : verdict; elements = {{ 1001 : drop, 1002 : jump closed, 1003 : goto closed, 1004 : accept }} }}
  chain closed {{ ip daddr 10.2.0.9 return; drop; }}
  chain before {{ type filter hook forward priority -10; policy accept;
{}
  }}
}}
"""
ONE_RULE = [
    ("ip saddr @hosts drop", "10.1.0.9.1000", "10.2.0.9.53", "silence"),
    ("ip saddr @hosts drop", "10.1.0.70.1000", "10.2.0.9.53", "silence"),
    ("ip saddr @hosts drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
    ("ip saddr != @hosts drop", "10.1.0.9.1000", "10.2.0.9.53", "sent"),
    ("udp dport != 53 drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
    ("tcp dport != 53 drop", "10.1.0.5.1000", "10.2.0.9.54", "sent"),
    ("meta l4proto { tcp, udp } th dport 50-60 drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    (
        'iifname "eth*" oifname "eth1" reject with icmpx admin-prohibited',
        "10.1.0.5.1000",
        "10.2.0.9.53",
        "icmp",
    ),
    ("udp sport vmap @doors", "10.1.0.5.1001", "10.2.0.9.53", "silence"),
    ("udp sport vmap @doors", "10.1.0.5.1002", "10.2.0.9.53", "sent"),
    ("udp sport vmap @doors", "10.1.0.5.1002", "10.2.0.6.53", "silence"),
    ("udp sport vmap @doors; drop", "10.1.0.5.1002", "10.2.0.9.53", "silence"),
    ("udp sport vmap @doors; drop", "10.1.0.5.1003", "10.2.0.9.53", "sent"),
    ("udp sport vmap @doors; drop", "10.1.0.5.1004", "10.2.0.9.53", "sent"),
    (
        "ct state new meta mark set 5 ip daddr 10.2.0.9 meta mark 5 drop",
        "10.1.0.5.1000",
        "10.2.0.9.53",
        "silence",
    ),
    (
        "ct state new meta mark set 5 ip daddr 10.2.0.9 meta mark 5 drop",
        "10.1.0.5.1000",
        "10.2.0.6.53",
        "sent",
    ),
    ("meta mark set mark or 0x6; meta mark & 0x3 == 2 drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    ("meta mark set 7 ct mark set mark; ct mark 7 drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    ("ct mark != 7 drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    ("ct status dnat accept; drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    ("ct state vmap { established : accept, new : jump closed }", "10.1.0.5.1000", "10.2.0.6.53", "silence"),
    ("ip saddr . udp dport { 10.1.0.5 . 53 } drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    ("ip saddr . udp dport { 10.1.0.5 . 53 } drop", "10.1.0.5.1000", "10.2.0.9.54", "sent"),
    ("fib saddr type unicast drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    ("ip6 saddr ::/0 drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
    ("icmp type echo-request drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
    ("return; drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
    ("goto closed; drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
    ("meta skuid 0 drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
    ("ip ttl < 64 drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    ("ct state ! established,related drop", "10.1.0.5.1000", "10.2.0.9.53", "silence"),
    ("ct state ! new,untracked drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
    ("tcp flags ! fin drop", "10.1.0.5.1000", "10.2.0.9.53", "sent"),
]


@pytest.mark.parametrize(("rules", "source", "destination", "expected"), ONE_RULE)
def test_rules_of_nft(rules: str, source: str, destination: str, expected: str) -> None:
    """What a rule of nft does to a forwarded packet, for one and for all at once."""
    text = NFT.format(rules.replace("; ", "\n"))
    with by_hand(setup=f"nft -f - <<'E'\n{text}\nE") as node:
        flow = udp(source, destination)
        assert expected == node.outcome(flow).split()[0]
        assert expected == node.grouped(flow).split()[0]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("tcp flags ! fin,rst drop", "silence"),
        ("tcp flags ! syn,fin drop", "sent"),
        ("tcp flags & (fin|syn|rst|psh|ack|urg) == 0x0 drop", "sent"),
        ("tcp flags != syn drop", "sent"),
        ("tcp flags syn / fin,syn,rst,ack drop", "silence"),
    ],
)
def test_flags_in_rules_of_nft(rule: str, expected: str) -> None:
    """None of some bits, exactly some bits, some bits of a mask."""
    with by_hand(setup=f"nft -f - <<'E'\n{NFT.format(rule)}\nE") as node:
        flow = tcp("10.1.0.5.1000", "10.2.0.9.80")
        assert expected == node.outcome(flow).split()[0]
        assert expected == node.grouped(flow).split()[0]


@pytest.mark.parametrize(
    ("priority", "expected"),
    [("-160", "sent"), ("-140", "silence"), ("-1", "silence"), ("1", "silence")],
)
def test_chains_of_nft_have_their_turn_by_priority(priority: str, expected: str) -> None:
    """The mark of iptables' mangle table is seen by chains behind -150."""
    text = f"table ip t {{ chain c {{ type filter hook forward priority {priority}; meta mark 1 drop; }}; }}"
    rules = "*mangle\n-A FORWARD -j MARK --set-mark 1\nCOMMIT"
    with by_hand(setup=f"nft '{text}'", rules=rules) as node:
        assert expected == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53")).split()[0]
        assert expected == node.grouped(udp("10.1.0.5.1001", "10.2.0.9.53")).split()[0]


@pytest.mark.parametrize(
    ("priority", "expected"), [("-110", "10.2.0.5.53"), ("-90", "10.2.0.6.53"), ("0", "10.2.0.6.53")]
)
def test_translations_of_nft_and_iptables_go_by_priority(priority: str, expected: str) -> None:
    """All chains of type nat are asked at conntrack's own turn, the first that translates decides."""
    text = f"table ip t {{ chain c {{ type nat hook prerouting priority {priority}; udp dport 53 dnat to 10.2.0.5; }}; }}"
    rules = "*nat\n-A PREROUTING -p udp -j DNAT --to-destination 10.2.0.6\nCOMMIT"
    with by_hand(setup=f"nft '{text}'", rules=rules) as node:
        assert expected == node.outcome(udp("10.1.0.5.1000", "192.0.2.1.53")).rpartition(" > ")[2]
        assert expected == node.grouped(udp("10.1.0.5.1001", "192.0.2.1.53")).rpartition(" > ")[2]


def test_nft_translates_as_iptables_does() -> None:
    """Destination, port and source, seen by chains behind it; the node's own packets are routed again."""
    text = """
table ip t {
  chain pre { type nat hook prerouting priority dstnat; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.9:8080; }
  chain out { type nat hook output priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.2.0.9:8080; }
  chain post { type nat hook postrouting priority srcnat; oifname "eth1" ip daddr 10.2.0.9 masquerade; }
  chain seen { type filter hook forward priority filter; ct status dnat tcp dport 8080 accept; drop; }
}
table inet u {
  chain route { type route hook output priority mangle; udp dport 7 meta mark set 3; }
  chain plain { type filter hook output priority -160; udp dport 8 meta mark set 3; }
}"""
    setup = f"""
ip route add 10.96.0.0/16 via 10.1.0.254
ip rule add pref 100 fwmark 3 lookup 100
ip route add default via 10.2.0.254 table 100
ip route add 192.0.2.0/24 via 10.1.0.254
nft -f - <<'E'
{text}
E"""
    with by_hand(setup=setup) as node:
        for flow, expected in (
            (tcp("10.1.0.5.1000", "10.96.0.1.80"), "sent by eth1 to 10.2.0.9: 10.2.0.1.1000 > 10.2.0.9.8080"),
            (tcp("10.1.0.5.1000", "10.2.0.9.80"), "silence"),
            (
                udp("10.1.0.1.1000", "192.0.2.1.7", ""),
                "sent by eth1 to 10.2.0.254: 10.1.0.1.1000 > 192.0.2.1.7",
            ),
            (
                udp("10.1.0.1.1000", "192.0.2.1.8", ""),
                "sent by eth0 to 10.1.0.254: 10.1.0.1.1000 > 192.0.2.1.8",
            ),
        ):
            assert expected == node.outcome(flow)
            later = flow.model_copy(update={"source_port": 1001})
            assert expected == node.grouped(later).replace(".1001 ", ".1000 ")


def test_chains_of_both_backends_for_all_packets_at_once() -> None:
    """Where both only decide, their order is nothing to the packet; where a mark of one is seen by the other, it is."""
    nft = "*filter\n-A FORWARD -p udp --dport 1 -j DROP\n-A FORWARD -p udp --dport 2 -m mark --mark 1 -j DROP\nCOMMIT"
    legacy = "*filter\n-A FORWARD -p udp --dport 3 -j DROP\n-A FORWARD -p udp --dport 1 -j ACCEPT\nCOMMIT"
    with by_hand(rules=nft) as node:
        node.rules(legacy, "iptables-legacy")
        for port, expected in ((1, "silence"), (2, "sent"), (3, "silence"), (4, "sent")):
            assert expected == node.outcome(udp("10.1.0.5.1000", f"10.2.0.9.{port}")).split()[0]
            assert expected == node.grouped(udp("10.1.0.5.1001", f"10.2.0.9.{port}")).split()[0]


def test_both_backends_have_a_say() -> None:
    """Rules of legacy and nft are both run: each may drop."""
    legacy = "*filter\n-A FORWARD -p udp --dport 53 -j DROP\nCOMMIT"
    nft = "*filter\n-A FORWARD -p udp --dport 54 -j DROP\nCOMMIT"
    with by_hand(rules=nft) as node:
        node.rules(legacy, "iptables-legacy")
        assert ["silence", "silence", "sent"] == [
            node.outcome(udp("10.1.0.5.1000", f"10.2.0.9.{port}")).split()[0] for port in (53, 54, 55)
        ]


def test_return_and_goto() -> None:
    """RETURN in a base chain is its policy; a chain reached by goto returns to the caller of the caller."""
    rules = """
*filter
:FORWARD DROP [0:0]
:A - [0:0]
:B - [0:0]
-A FORWARD -p udp --dport 50 -j RETURN
-A FORWARD -p udp --dport 51:52 -j A
-A FORWARD -p udp --dport 53 -g B
-A FORWARD -j ACCEPT
-A A -p udp --dport 51 -j B
-A A -g B
-A A -j REJECT
-A B -j RETURN
COMMIT"""
    with by_hand(rules=rules) as node:
        assert ["silence", "sent", "sent", "silence", "sent"] == _by_port(node, 50, 51, 52, 53, 54)


def test_51_comes_back_to_a_and_goes_by_goto() -> None:
    """Port 51 jumps to B, returns to A, and leaves A by goto: the rule after it is not reached."""
    rules = """
*filter
:A - [0:0]
:B - [0:0]
-A FORWARD -j A
-A FORWARD -p udp --dport 60 -j REJECT --reject-with icmp-admin-prohibited
-A A -p udp --dport 60 -g B
-A A -j DROP
-A B -j MARK --set-mark 1
COMMIT"""
    with by_hand(rules=rules) as node:
        assert ["icmp 3/13", "silence"] == _by_port(node, 60, 61)


def _by_port(node, *ports: int) -> list[str]:
    told = [node.outcome(udp("10.1.0.5.1000", f"10.2.0.9.{port}")) for port in ports]
    return [one.split()[0] if one.startswith("sent") else one for one in told]


# --- nat -------------------------------------------------------------------------------------------------------


def test_masquerade_takes_the_address_that_faces_the_next_hop() -> None:
    """Of several primaries the one whose prefix holds the next hop; the route's `src` does not count."""
    setup = """
ip addr add 10.9.0.1/24 dev eth1
ip addr add 10.9.0.2/24 dev eth1
ip route add 192.0.2.0/24 via 10.9.0.254 src 10.2.0.1
ip route add 198.51.100.0/24 dev eth1 src 10.9.0.1"""
    rules = "*nat\n-A POSTROUTING -o eth1 -j MASQUERADE\nCOMMIT"
    with by_hand(setup=setup, rules=rules) as node:
        assert "sent by eth1 to 10.9.0.254: 10.9.0.1.1000 > 192.0.2.7.53" == node.outcome(
            udp("10.1.0.5.1000", "192.0.2.7.53")
        )
        assert "sent by eth1 to 198.51.100.7: 10.2.0.1.1000 > 198.51.100.7.53" == node.outcome(
            udp("10.1.0.5.1000", "198.51.100.7.53")
        )


def test_masquerade_without_an_address_drops() -> None:
    """A link without an IPv4 address has nothing to hide behind … unless another link's address serves."""
    setup = "ip addr flush dev eth1 scope global; ip route add 192.0.2.0/24 dev eth1"
    rules = "*nat\n-A POSTROUTING -o eth1 -j MASQUERADE\nCOMMIT"
    with by_hand(setup=setup, rules=rules) as node:
        assert "sent by eth1 to 192.0.2.7: 10.1.0.1.1000 > 192.0.2.7.53" == node.outcome(
            udp("10.1.0.5.1000", "192.0.2.7.53")
        )


def test_redirect_leads_to_the_link_of_arrival() -> None:
    """Its first address; for the node's own packets 127.0.0.1."""
    rules = """
*nat
-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080
-A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 8081
COMMIT"""
    with by_hand(setup="ip addr add 10.1.0.2/24 dev eth0", rules=rules) as node:
        assert "delivered: 10.1.0.5.1000 > 10.1.0.1.8080" == node.outcome(
            tcp("10.1.0.5.1000", "192.0.2.7.80")
        )
        assert "delivered: 10.1.0.1.1000 > 127.0.0.1.8081" == node.outcome(
            tcp("10.1.0.1.1000", "10.1.0.9.80", "")
        )


def test_netmap_keeps_the_host_part() -> None:
    """Of the destination before routing, of the source after it."""
    rules = """
*nat
-A PREROUTING -d 172.16.5.0/24 -j NETMAP --to 10.2.0.0/24
-A POSTROUTING -s 10.1.0.0/24 -j NETMAP --to 172.16.6.0/24
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "sent by eth1 to 10.2.0.9: 172.16.6.5.1000 > 10.2.0.9.53" == node.outcome(
            udp("10.1.0.5.1000", "172.16.5.9.53")
        )


def test_netmap_of_all_packets_at_once() -> None:
    """The host part is a part of the packet's own header: rules and routes behind it see the new address."""
    rules = """
*nat
-A PREROUTING -d 172.16.5.0/24 -j NETMAP --to 10.2.0.0/24
-A POSTROUTING -s 10.1.0.0/24 -j NETMAP --to 172.16.6.0/24
COMMIT
*filter
-A FORWARD -d 10.2.0.6/32 -j DROP
-A FORWARD -d 172.16.5.9/32 -j DROP
COMMIT"""
    with by_hand(rules=rules) as node:
        for flow, expected in (
            (
                udp("10.1.0.5.1000", "172.16.5.9.53"),
                "sent by eth1 to 10.2.0.9: 172.16.6.5.1000 > 10.2.0.9.53",
            ),
            (udp("10.1.0.5.1001", "172.16.5.6.53"), "silence"),
            (udp("10.1.0.6.1000", "172.16.5.1.53"), "delivered: 10.1.0.6.1000 > 10.2.0.1.53"),
        ):
            assert expected == node.outcome(flow)
            assert expected == node.grouped(
                flow.model_copy(update={"source_port": flow.source_port + 100})
            ).replace(f".{flow.source_port + 100} ", f".{flow.source_port} ")


@pytest.mark.parametrize(
    ("to", "asked", "expected"),
    [
        ("10.2.0.9:2000-2010", 2005, 2005),
        ("10.2.0.9:2000-2010", 53, 2000),
        ("10.2.0.9:2000-2006/53", 53, 2000),
        ("10.2.0.9:2000-2006/53", 63, 2003),
        # The distance is a number of sixteen bits: 50 - 53 is 65533.
        ("10.2.0.9:2000-2006/53", 50, 2006),
        ("10.2.0.9:2000-2999/3000", 50, 2000 + (50 - 3000 & 0xFFFF) % 1000),
    ],
)
def test_dnat_to_a_range_of_ports(to: str, asked: int, expected: int) -> None:
    """A port within the range stays, another becomes the first; with a base it is the distance to that, modulo the length."""
    rules = f"*nat\n-A PREROUTING -p udp --dport 1:3000 -j DNAT --to-destination {to}\nCOMMIT"
    with by_hand(rules=rules) as node:
        told = f"sent by eth1 to 10.2.0.9: 10.1.0.5.{{}} > 10.2.0.9.{expected}"

        assert told.format(1000) == node.outcome(udp("10.1.0.5.1000", f"10.2.0.6.{asked}"))
        if "2999" not in to:
            assert told.format(1001) == node.grouped(udp("10.1.0.5.1001", f"10.2.0.6.{asked}"))


@pytest.mark.parametrize(
    ("chain", "to"),
    [
        ("PREROUTING", "-j DNAT --to-destination 10.2.0.5-10.2.0.9"),
        ("PREROUTING", "-j DNAT --to-destination 10.2.0.5-10.2.0.9 --persistent"),
        ("POSTROUTING", "-j SNAT --to-source 10.2.0.50-10.2.0.59"),
        ("POSTROUTING", "-j SNAT --to-source 10.2.0.50-10.2.0.59 --persistent"),
        ("PREROUTING", "-j DNAT --to-destination fd00:9::5-fd00:9::c"),
        ("PREROUTING", "-j DNAT --to-destination fd00:9::5-fd00:9::c --persistent"),
        ("PREROUTING", "-j DNAT --to-destination fd00:9::ffff:fff0-fd00:9::1:0:3"),
        ("POSTROUTING", "-j SNAT --to-source fd00:2::50-fd00:2::5f"),
        ("POSTROUTING", "-j SNAT --to-source fd00:2::50-fd00:2::5f --persistent"),
    ],
)
def test_nat_to_a_range_of_addresses(chain: str, to: str) -> None:
    """A hash of source and destination chooses: one pair of hosts gets always the same, whatever the ports."""
    rules = f"*nat\n-A {chain} -p udp {to}\nCOMMIT"
    six = "fd00" in to
    setup = "ip -6 route add fd00:9::/32 via fd00:2::9"
    with by_hand(setup=setup, rules=rules, tool="ip6tables-nft" if six else "iptables-nft") as node:
        ends = "fd00:1::{}.{}", "fd00:2::{}.53" if six else ""
        told = {
            (host, other): {
                node.outcome(
                    udp(ends[0].format(host, port), ends[1].format(other))
                    if six
                    else udp(f"10.1.0.{host}.{port}", f"10.2.0.{other}.53")
                ).partition(": ")[2].replace(f".{port} ", " ")
                for port in (1000, 1001)
            }
            for host in (20, 21, 22, 23)
            for other in (5, 6, 9)
        }  # fmt: skip
    assert {1} == {len(one) for one in told.values()}
    assert 1 < len(set.union(*told.values()))


@pytest.mark.parametrize("to", ["10.2.0.5-10.2.0.9", "10.2.0.9:8000-8003"])
def test_any_of_a_range_for_all_packets_at_once(to: str) -> None:
    """What one packet is given is among what the sets hold, and nothing else can happen to it."""
    random_ports = " --random" if ":" in to else ""
    rules = f"*nat\n-A PREROUTING -p udp -j DNAT --to-destination {to}{random_ports}\nCOMMIT"
    with by_hand(rules=rules) as node:
        for port in range(1000, 1012):
            assert node.grouped(udp(f"10.1.0.5.{port}", "192.0.2.1.53")).startswith("sent by eth1 to 10.2.0.")


def test_snat_with_a_port_range_keeps_a_port_within_it() -> None:
    """A port outside the range is replaced."""
    rules = "*nat\n-A POSTROUTING -p udp -j SNAT --to-source 10.2.0.77:2000\nCOMMIT"
    with by_hand(rules=rules) as node:
        assert "sent by eth1 to 10.2.0.9: 10.2.0.77.2000 > 10.2.0.9.53" == node.outcome(
            udp("10.1.0.5.1000", "10.2.0.9.53")
        )


def test_a_service_needs_a_route_before_it_is_translated() -> None:
    """A local program's packet is routed before OUTPUT: no route to the service, no service."""
    rules = "*nat\n-A OUTPUT -d 10.96.0.1/32 -p tcp -j DNAT --to-destination 10.2.0.9:8080\nCOMMIT"
    with by_hand(rules=rules) as node:
        assert "ENETUNREACH" == node.outcome(tcp("10.1.0.1.1000", "10.96.0.1.80", ""))
    with by_hand(rules=rules, setup="ip route add default via 10.1.0.254") as node:
        assert "sent by eth1 to 10.2.0.9: 10.1.0.1.1000 > 10.2.0.9.8080" == node.outcome(
            tcp("10.1.0.1.1000", "10.96.0.1.80", "")
        )


@pytest.mark.parametrize(
    ("table", "expected"), [("mangle", "eth1 to 10.2.0.254"), ("raw", "eth0 to 10.1.0.254")]
)
def test_a_mark_of_mangle_output_routes_anew(table: str, expected: str) -> None:
    """And keeps the source; a mark of raw OUTPUT does not."""
    setup = """
ip route add default via 10.1.0.254
ip route add default via 10.2.0.254 table 100
ip rule add pref 100 fwmark 5 lookup 100"""
    with by_hand(setup=setup, rules=f"*{table}\n-A OUTPUT -j MARK --set-mark 5\nCOMMIT") as node:
        assert f"sent by {expected}: 10.1.0.1.1000 > 192.0.2.7.53" == node.outcome(
            udp("10.1.0.1.1000", "192.0.2.7.53", "")
        )


@pytest.mark.parametrize(("link", "expected"), [("eth0", "icmp 3/3"), ("eth1", "sent by eth1 to 10.2.0.9")])
def test_filter_of_output_sees_the_link_of_the_first_route(link: str, expected: str) -> None:
    """`-o` there is the link before nat routed anew: the hook's state is made once (net/ipv4/ip_output.c, __ip_local_out)."""
    rules = f"""
*nat
-A OUTPUT -p udp -j DNAT --to-destination 10.2.0.9
COMMIT
*filter
-A OUTPUT -p udp -o {link} -j REJECT
COMMIT"""
    with by_hand(rules=rules) as node:
        assert expected == node.outcome(udp("10.1.0.1.1000", "10.1.0.9.53", "")).split(": ")[0]


def test_routed_anew_without_the_user() -> None:
    """The second route is root's: rules for a range of users do not see the socket's (ip_route_me_harder sets no uid)."""
    setup = """
ip route add default via 10.1.0.254
ip route add default via 10.2.0.254 table 100
ip rule add pref 100 uidrange 1000-1000 lookup 100"""
    flow = udp("10.1.0.1.1000", "192.0.2.7.53", entry=USER)
    with by_hand(setup=setup) as node:
        assert "sent by eth1 to 10.2.0.254" == node.outcome(flow).split(":")[0]
    with by_hand(setup=setup, rules="*mangle\n-A OUTPUT -j MARK --set-mark 5\nCOMMIT") as node:
        assert "sent by eth0 to 10.1.0.254" == node.outcome(flow).split(":")[0]


def test_a_broadcast_of_loopback_comes_back() -> None:
    """By lo, through both ends of the way, to the node itself; nothing is sent (route.c, __mkroute_output: RTCF_LOCAL)."""
    rules = "*filter\n-A INPUT -i lo -p udp --dport 54 -j DROP\nCOMMIT"
    with by_hand(rules=rules) as node:
        told = [
            node.outcome(udp("127.0.0.1.1000", f"127.255.255.255.{port}", "")).split(":")[0]
            for port in (53, 54)
        ]
        assert ["delivered", "silence"] == told


def test_routed_anew_by_protocol_and_port() -> None:
    """Rules that ask for a port hold for the second route too (net/ipv4/netfilter.c, ip_route_me_harder)."""
    setup = """
ip route add default via 10.1.0.254
ip route add default via 10.2.0.254 table 100
ip rule add pref 100 fwmark 5 ipproto udp dport 53 lookup 100"""
    rules = "*mangle\n-A OUTPUT -j MARK --set-mark 5\nCOMMIT"
    with by_hand(setup=setup, rules=rules) as node:
        told = [
            node.outcome(udp("10.1.0.1.1000", f"192.0.2.7.{port}", "")).split(":")[0] for port in (53, 54)
        ]
        assert ["sent by eth1 to 10.2.0.254", "sent by eth0 to 10.1.0.254"] == told


def test_postrouting_sees_the_link_of_the_last_route() -> None:
    """After nat routed anew, POSTROUTING is of the new link."""
    rules = """
*nat
-A OUTPUT -p udp -j DNAT --to-destination 10.2.0.9
-A POSTROUTING -p udp -o eth1 -j SNAT --to-source 10.2.0.77
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "sent by eth1 to 10.2.0.9: 10.2.0.77.1000 > 10.2.0.9.53" == node.outcome(
            udp("10.1.0.1.1000", "10.1.0.9.53", "")
        )


def test_marking_for_masquerade_as_kube_proxy_does() -> None:
    """Mark, return unless marked, clear by xor, masquerade."""
    rules = """
*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SVC - [0:0]
-A PREROUTING -d 10.96.0.1/32 -p tcp --dport 80 -j KUBE-SVC
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SVC ! -s 10.1.0.0/24 -j KUBE-MARK-MASQ
-A KUBE-SVC -p tcp -j DNAT --to-destination 10.1.0.9:8080
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "sent by eth0 to 10.1.0.9: 10.1.0.5.1000 > 10.1.0.9.8080" == node.outcome(
            tcp("10.1.0.5.1000", "10.96.0.1.80")
        )
        outside = node.outcome(tcp("10.2.0.5.1000", "10.96.0.1.80", "eth1"))
        assert outside.startswith("sent by eth0 to 10.1.0.9: 10.1.0.1.")


def test_hairpin_to_itself() -> None:
    """A pod that reaches itself through its service."""
    rules = """
*nat
-A PREROUTING -d 10.96.0.1/32 -p tcp -j DNAT --to-destination 10.1.0.5:8080
-A POSTROUTING -s 10.1.0.5/32 -d 10.1.0.5/32 -j MASQUERADE
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "sent by eth0 to 10.1.0.5: 10.1.0.1.1000 > 10.1.0.5.8080" == node.outcome(
            tcp("10.1.0.5.1000", "10.96.0.1.80")
        )


# --- matches and targets ---------------------------------------------------------------------------------------


def test_reject_without_a_kind() -> None:
    """Port unreachable, in both families."""
    with by_hand(rules="*filter\n-A FORWARD -j REJECT\nCOMMIT") as node:
        node.rules("*filter\n-A FORWARD -j REJECT\nCOMMIT", "ip6tables-nft")
        assert "icmp 3/3" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53"))
        assert "icmp 1/4" == node.outcome(udp("fd00:1::5.1000", "fd00:2::9.53"))


def test_no_error_for_an_error() -> None:
    """REJECT of an ICMP error is silent (RFC 1122, 3.2.2)."""
    with by_hand(rules="*filter\n-A FORWARD -j REJECT\nCOMMIT") as node:
        assert "silence" == node.outcome(
            ping("10.1.0.5", "10.2.0.9", icmp_type=3, icmp_code=1, state="INVALID")
        )


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_a_range_of_ports_that_runs_backwards_holds_no_port(tool: str) -> None:
    """iptables 1.8.9 takes it for UDP; no port lies in it, and every port outside."""
    rules = """
*filter
-A FORWARD -p udp -m udp --dport 60000:29 -j DROP
-A FORWARD -p udp -m udp ! --dport 60000:29 -m udp --sport 7 -j DROP
COMMIT"""
    with by_hand(rules=rules, tool=tool) as node:
        flows = [udp(f"10.1.0.5.{port}", f"10.2.0.9.{to}") for port, to in ((9, 60001), (9, 29), (7, 443))]
        assert ["sent", "sent", "silence"] == [node.outcome(flow).split()[0] for flow in flows]


def test_a_related_error_belongs_to_the_connection_of_its_packet() -> None:
    """Matches of conntrack see the other connection: its protocol, its addresses; the error itself is of the reply's direction."""
    rules = """
*filter
-A FORWARD -p icmp -m conntrack --ctstate RELATED --ctproto 17 --ctdir REPLY --ctorigsrc 10.2.0.9 -j DROP
COMMIT"""
    with by_hand(rules=rules) as node:
        flow = ping("10.1.0.5", "10.2.0.9", icmp_type=3, icmp_code=1, state="RELATED")
        assert "silence" == node.outcome(flow)
        assert "sent" == node.outcome(ping("10.1.0.5", "10.2.0.9")).split()[0]


def test_connmark_saved_and_restored_within_one_packet() -> None:
    """The mark of the connection lives from one chain to the next."""
    rules = """
*mangle
-A PREROUTING -p udp -j CONNMARK --set-xmark 0x30/0xf0
-A FORWARD -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
COMMIT
*filter
-A FORWARD -m mark --mark 0x30 -m connmark --mark 0x30/0xff -j REJECT
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "icmp 3/3" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53"))
        assert "sent" == node.outcome(tcp("10.1.0.5.1000", "10.2.0.9.53")).split()[0]


def test_sets_with_holes_and_sets_of_sets() -> None:
    """`nomatch` makes a hole; a set of sets holds what its members hold, in the order of the members."""
    setup = """
ipset create nets hash:net
ipset add nets 10.2.0.0/24
ipset add nets 10.2.0.8/30 nomatch
ipset add nets 10.2.0.9
ipset create ports hash:ip,port
ipset add ports 10.2.0.6,udp:53
ipset create all list:set
ipset add all nets"""
    rules = """
*filter
-A FORWARD -p tcp -m set --match-set nets dst -j DROP
-A FORWARD -p udp -m set --match-set ports dst,dst -j DROP
-A FORWARD -p icmp -m set ! --match-set all dst -j DROP
COMMIT"""
    with by_hand(setup=setup, rules=rules) as node:
        told = [node.outcome(tcp("10.1.0.5.1000", f"10.2.0.{host}.80")).split()[0] for host in (6, 9, 10)]
        assert ["silence", "silence", "sent"] == told
        told = [node.outcome(udp("10.1.0.5.1000", f"10.2.0.6.{port}")).split()[0] for port in (53, 54)]
        assert ["silence", "sent"] == told
        told = [node.outcome(ping("10.1.0.5", f"10.2.0.{host}")).split()[0] for host in (6, 10)]
        assert ["sent", "silence"] == told


def test_sets_of_stations_and_of_links() -> None:
    """The sender's link-layer address is compared; of networks and links the longest network decides."""
    setup = """
ipset create pairs bitmap:ip,mac range 10.1.0.0/24
ipset add pairs 10.1.0.5,{}
ipset add pairs 10.1.0.6,02:00:00:00:00:99
ipset create lanes hash:net,iface
ipset add lanes 10.1.0.0/16,eth0
ipset add lanes 10.1.0.128/25,eth1
ipset add lanes 10.2.0.9/32,eth1""".format(mac_of("10.1.0.5"))
    rules = """
*filter
-A FORWARD -p udp --dport 1 -m set --match-set pairs src,src -j DROP
-A FORWARD -p udp --dport 2 -m set --match-set lanes src,src -j DROP
-A FORWARD -p udp --dport 3 -m set --match-set lanes dst,dst -j DROP
-A FORWARD -p udp --dport 4 -m set --match-set lanes dst,src -j DROP
-A OUTPUT -p udp --dport 1 -m set --match-set pairs src,src -j DROP
COMMIT"""
    with by_hand(setup=setup, rules=rules) as node:
        for source, destination, expected in (
            ("10.1.0.5", "10.2.0.9.1", "silence"),
            ("10.1.0.6", "10.2.0.9.1", "sent"),
            ("10.1.0.5", "10.2.0.9.2", "silence"),
            ("10.1.0.200", "10.2.0.9.2", "sent"),
            ("10.1.0.5", "10.2.0.9.3", "silence"),
            ("10.1.0.5", "10.2.0.6.3", "sent"),
            ("10.1.0.5", "10.2.0.9.4", "sent"),
        ):
            assert expected == node.outcome(udp(f"{source}.1000", destination)).split()[0]
            assert expected == node.grouped(udp(f"{source}.1001", destination)).split()[0]
        own = udp("10.1.0.1.1000", "10.2.0.9.1", "")

        assert "sent" == node.outcome(own).split()[0]
        assert "sent" == node.grouped(own.model_copy(update={"source_port": 1001})).split()[0]


def test_addresses_of_a_type() -> None:
    """LOCAL is what the local table says, UNICAST what routes lead to."""
    rules = """
*filter
-A INPUT -m addrtype --dst-type LOCAL --limit-iface-in -j REJECT --reject-with icmp-net-prohibited
-A FORWARD -m addrtype ! --dst-type UNICAST -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -m addrtype --src-type LOCAL -j REJECT --reject-with icmp-admin-prohibited
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "icmp 3/9" == node.outcome(udp("10.1.0.5.1000", "10.1.0.1.53"))
        assert "delivered" == node.outcome(udp("10.1.0.5.1000", "10.2.0.1.53")).split(":")[0]
        assert "sent" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53")).split()[0]


def test_the_owner_of_a_socket() -> None:
    """A user's own packets; what is forwarded has no owner, and matches neither the match nor its negation."""
    rules = """
*filter
-A OUTPUT -m owner --uid-owner 1000 -j DROP
-A FORWARD -j ACCEPT
COMMIT
*mangle
-A POSTROUTING -p udp --dport 54 -m owner ! --uid-owner 1000 -j DROP
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "silence" == node.outcome(udp("10.1.0.1.1000", "10.1.0.9.53", entry=USER))
        assert "sent" == node.outcome(udp("10.1.0.1.1000", "10.1.0.9.53", entry=ROOT)).split()[0]
        assert "silence" == node.outcome(udp("10.1.0.1.1000", "10.1.0.9.54", entry=ROOT))
        forwarded = node.outcome(udp("10.1.0.5.1000", "10.2.0.9.54"))
        assert forwarded in {"silence", "sent by eth1 to 10.2.0.9: 10.1.0.5.1000 > 10.2.0.9.54"}


def test_the_hop_limit_that_mangle_sets() -> None:
    """PREROUTING comes before the limit is counted down, FORWARD after."""
    rules = """
*mangle
-A PREROUTING -p udp --dport 53 -j TTL --ttl-set 1
-A FORWARD -p udp --dport 54 -j TTL --ttl-set 9
COMMIT
*filter
-A FORWARD -m ttl --ttl-eq 63 -p udp --dport 55 -j REJECT
COMMIT"""
    with by_hand(rules=rules) as node:
        assert "icmp 11/0" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.53"))
        assert "sent" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.54")).split()[0]
        assert "icmp 3/3" == node.outcome(udp("10.1.0.5.1000", "10.2.0.9.55"))


@pytest.mark.parametrize(("tool"), ["iptables-nft", "iptables-legacy"])
def test_a_rule_with_chance_has_two_outcomes(tool: str) -> None:
    """Both happen, and the model names both."""
    rules = """
*nat
-A PREROUTING -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.2.0.6
-A PREROUTING -p tcp -j DNAT --to-destination 10.2.0.9
COMMIT"""
    with by_hand(rules=rules, tool=tool) as node:
        taken = {node.outcome(tcp("10.1.0.5.1000", "192.0.2.7.80")).split(":")[0] for _ in range(40)}
    assert {"sent by eth1 to 10.2.0.6", "sent by eth1 to 10.2.0.9"} == taken


# --- bridges ---------------------------------------------------------------------------------------------------

PODS = """
ip link add cni0 address 52:54:00:00:00:99 type bridge
ip link set eth2 master cni0
ip link set eth3 master cni0
ip addr flush dev eth2 scope global
ip addr flush dev eth3 scope global
ip addr add 10.244.1.1/24 dev cni0
ip link set cni0 up
bridge fdb replace 02:00:0a:f4:01:03 dev eth3 master static
bridge fdb replace 02:00:0a:f4:01:02 dev eth2 master static
sysctl -qw net.bridge.bridge-nf-call-iptables={}
"""
BRIDGE_RULES = """
*filter
-A FORWARD -i cni0 -o cni0 -p udp --dport 53 -j DROP
-A FORWARD -m physdev --physdev-in eth2 -p udp --dport 54 -j DROP
-A FORWARD -i eth2 -j DROP
COMMIT
*nat
-A PREROUTING -d 10.96.0.1/32 -p udp -j DNAT --to-destination 10.244.1.3:55
COMMIT"""


def _bridged(node) -> None:
    node.macs["cni0"] = "52:54:00:00:00:99"
    node.masters.update({"eth2": "cni0", "eth3": "cni0"})
    node.ports.update({"10.244.1.2": "eth2", "10.244.1.3": "eth3"})


@pytest.mark.parametrize(
    ("called", "expected"), [(0, ["bridged"] * 3), (1, ["silence", "silence", "bridged"])]
)
def test_pods_of_one_bridge_and_the_packet_filter(called: int, expected: list[str]) -> None:
    """With bridge-nf-call-iptables rules see what is only bridged: `-i` is the bridge, the port is physdev's."""
    with by_hand("eth0", "eth1", "eth2", "eth3", setup=PODS.format(called), rules=BRIDGE_RULES) as node:
        _bridged(node)
        entry = Entry(link="cni0", bridge_port="eth2", to_router=False, out_port="eth3")
        told = [
            node.outcome(udp("10.244.1.2.1000", f"10.244.1.3.{port}", entry=entry)) for port in (53, 54, 55)
        ]
        assert expected == [one.split()[0] for one in told]


@pytest.mark.parametrize("called", [0, 1])
def test_a_pod_of_a_bridge_is_routed_to_the_outside(called: int) -> None:
    """Addressed to the bridge itself, it is routed as by any link."""
    with by_hand("eth0", "eth1", "eth2", "eth3", setup=PODS.format(called), rules=BRIDGE_RULES) as node:
        _bridged(node)
        out = udp("10.244.1.2.1000", "10.2.0.9.53", entry=Entry(link="cni0", bridge_port="eth2"))
        assert "sent by eth1 to 10.2.0.9: 10.244.1.2.1000 > 10.2.0.9.53" == node.outcome(out)
        back = udp("10.2.0.9.1000", "10.244.1.3.53", "eth1")
        assert "sent by cni0 to 10.244.1.3: 10.2.0.9.1000 > 10.244.1.3.53" == node.outcome(back)


@pytest.mark.parametrize("called", [0, 1])
def test_a_pod_reaches_another_of_its_bridge_by_the_service(called: int) -> None:
    """Routed back onto the bridge that it came from."""
    with by_hand("eth0", "eth1", "eth2", "eth3", setup=PODS.format(called), rules=BRIDGE_RULES) as node:
        _bridged(node)
        flow = udp("10.244.1.2.1000", "10.96.0.1.80", entry=Entry(link="cni0", bridge_port="eth2"))
        assert node.outcome(flow).endswith(": 10.244.1.2.1000 > 10.244.1.3.55")


def test_forwarding_does_not_matter_to_a_bridge() -> None:
    """What is only bridged needs no forwarding."""
    with by_hand(
        "eth0", "eth1", "eth2", "eth3", setup=PODS.format(1) + "sysctl -qw net.ipv4.ip_forward=0"
    ) as node:
        _bridged(node)
        entry = Entry(link="cni0", bridge_port="eth2", to_router=False, out_port="eth3")
        assert "bridged" == node.outcome(udp("10.244.1.2.1000", "10.244.1.3.53", entry=entry)).split()[0]


@pytest.mark.parametrize(
    ("hairpin", "expected"), [("off", "silence"), ("on", "bridged to eth2: 10.244.1.2.1000 > 10.244.1.2.55")]
)
def test_a_bridge_does_not_send_back_by_the_same_port(hairpin: str, expected: str) -> None:
    """A service whose endpoint lives behind the port of arrival: with bridge-nf the bridge itself must turn the frame back."""
    rules = "*nat\n-A PREROUTING -d 10.96.0.1/32 -p udp -j DNAT --to-destination 10.244.1.2:55\nCOMMIT"
    setup = PODS.format(1) + f"bridge link set dev eth2 hairpin {hairpin}"
    with by_hand("eth0", "eth1", "eth2", "eth3", setup=setup, rules=rules) as node:
        _bridged(node)
        flow = udp("10.244.1.2.1000", "10.96.0.1.80", entry=Entry(link="cni0", bridge_port="eth2"))
        assert expected == node.outcome(flow)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("true", "sent by eth1 to 10.2.0.254"),
        pytest.param(
            "ip neigh add 10.1.0.254 lladdr 02:00:0a:01:00:fe dev eth0 nud reachable",
            "sent by eth0 to 10.1.0.254",
            marks=pytest.mark.xfail(strict=True, reason="states of neighbours are no facts of a snapshot"),
        ),
    ],
)
def test_a_default_route_with_a_living_gateway_is_preferred(known: str, expected: str) -> None:
    """Of several default routes of one metric that fit, the first whose gateway answers (net/ipv4/fib_semantics.c, fib_select_default)."""
    setup = f"""
ip route add default tos 0x10 via 10.2.0.254 dev eth1
ip route add default via 10.1.0.254 dev eth0
{known}"""
    with by_hand(setup=setup) as node:
        found = node.outcome(udp("10.1.0.1.1000", "192.0.2.7.53", "", tos=0x10))
        assert expected == found.partition(": ")[0]


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        (udp("0.0.0.3.1000", "10.1.0.1.53"), "delivered: 0.0.0.3.1000 > 10.1.0.1.53"),
        (udp("0.0.0.0.1000", "10.1.0.1.53"), "silence"),
        (udp("10.1.0.5.1000", "0.0.0.3.53"), "icmp 3/0"),
    ],
)
def test_only_the_first_address_of_the_zero_network_is_nobodys(flow: Flow, expected: str) -> None:
    """Since Linux 5.3 the others are addresses like any (include/linux/in.h, ipv4_is_zeronet)."""
    with by_hand() as node:
        assert expected == node.outcome(flow).replace(" (no route)", "")


# --- IPv6 ------------------------------------------------------------------------------------------------------


def test_ipv6_is_translated_as_ipv4_is() -> None:
    """DNAT with a port, MASQUERADE with the address that IPv6 would choose."""
    rules = """
*nat
-A PREROUTING -d fd00:96::1/128 -p tcp --dport 80 -j DNAT --to-destination [fd00:2::9]:8080
-A POSTROUTING -o eth1 -j MASQUERADE
COMMIT"""
    with by_hand(rules=rules, tool="ip6tables-nft") as node:
        assert "sent by eth1 to fd00:2::9: fd00:2::1.1000 > fd00:2::9.8080" == node.outcome(
            tcp("fd00:1::5.1000", "fd00:96::1.80")
        )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("blackhole", "silence"),
        ("unreachable", "icmp 1/0"),
        ("prohibit", "icmp 1/1"),
    ],
)
def test_refusals_of_routing_in_ipv6(kind: str, expected: str) -> None:
    """Routes that refuse."""
    with by_hand(setup=f"ip -6 route add {kind} 2001:db8::/32") as node:
        assert expected == node.outcome(udp("fd00:1::5.1000", "2001:db8::7.53")).replace(" (no route)", "")


def test_ipv6_forwards_as_a_whole() -> None:
    """One link's `forwarding` does not decide: only that of all (net/ipv6/ip6_output.c, ip6_forward)."""
    flow = udp("fd00:1::5.1000", "fd00:2::9.53")
    with by_hand(setup="sysctl -qw net.ipv6.conf.eth0.forwarding=0 net.ipv6.conf.eth1.forwarding=0") as node:
        assert "sent" == node.outcome(flow).split()[0]
    with by_hand(
        setup="sysctl -qw net.ipv6.conf.all.forwarding=0; sysctl -qw net.ipv6.conf.eth0.forwarding=1"
    ) as node:
        assert "silence" == node.outcome(flow).split()[0]


def test_ipv6_takes_any_source() -> None:
    """There is no rp_filter, and own addresses as source are not refused."""
    with by_hand() as node:
        assert "sent" == node.outcome(udp("fd00:2::5.1000", "fd00:2::9.53")).split()[0]
        assert "sent" == node.outcome(udp("fd00:2::1.1000", "fd00:2::9.53")).split()[0]


def test_ipv6_loopback_from_outside() -> None:
    """Is refused as source and as destination (net/ipv6/ip6_input.c, ip6_rcv_core)."""
    with by_hand() as node:
        assert "silence" == node.outcome(udp("::1.1000", "fd00:2::9.53"))
        assert "silence" == node.outcome(udp("fd00:1::5.1000", "::1.53"))


def test_ipv6_dnat_to_loopback() -> None:
    """Never arrives: a lookup for ::1 wants a route of the link of arrival (net/ipv6/route.c, rt6_need_strict)."""
    rules = "*nat\n-A PREROUTING -p udp -j DNAT --to-destination ::1\nCOMMIT"
    with by_hand(rules=rules, tool="ip6tables-nft") as node:
        assert "icmp 1/0" == node.outcome(udp("fd00:1::5.1000", "fd00:1::1.53"))


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param(
            "true",
            "delivered",
            marks=pytest.mark.xfail(
                strict=True, reason="a snapshot does not tell whether a rule was ever added"
            ),
        ),
        ("ip -6 rule add pref 9 lookup main; ip -6 rule del pref 9", "sent"),
    ],
)
def test_the_local_rule_of_ipv6_matters_once_a_rule_was_added(before: str, expected: str) -> None:
    """Until then the tables local and main are asked whatever rules are left (net/ipv6/fib6_rules.c, fib6_rule_lookup)."""
    with by_hand(
        setup=f"{before}; ip -6 rule del pref 0; ip -6 neigh add fd00:2::1 lladdr 02:00:00:00:00:99 dev eth1"
    ) as node:
        node.knows("fd00:2::1", "02:00:00:00:00:99")
        assert expected == node.outcome(tcp("fd00:1::5.1000", "fd00:2::1.80")).split()[0].strip(":")


# --- connections that go on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tcp, udp])
@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_answers_are_translated_back(make: Callable[..., Flow], tool: str) -> None:
    """The answer gets the addresses that the first packet had, the next packet those that it got."""
    rules = """
*nat
-A PREROUTING -d 10.96.0.1/32 -j DNAT --to-destination 10.2.0.9
-A POSTROUTING -o eth1 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP
-A FORWARD -m conntrack --ctstate NEW -i eth0 -j ACCEPT
-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
COMMIT"""
    with by_hand(rules=rules, tool=tool) as node:
        assert [
            "sent by eth0 to 10.1.0.5: 10.96.0.1.53 > 10.1.0.5.1000",
            "sent by eth1 to 10.2.0.9: 10.2.0.1.1000 > 10.2.0.9.53",
        ] == node.talk(make("10.1.0.5.1000", "10.96.0.1.53"))


def test_the_mark_of_a_connection_comes_back_with_its_answers() -> None:
    """Saved by the first packet, restored by the others: so policy rules send answers where the question came from."""
    setup = """
ip rule add pref 100 fwmark 7 lookup 100
ip route add default via 10.1.0.254 dev eth0 table 100
ip route add default via 10.2.0.254 dev eth1"""
    rules = """
*mangle
-A PREROUTING -j CONNMARK --restore-mark
-A PREROUTING -i eth0 -m mark --mark 0 -j MARK --set-mark 7
-A PREROUTING -i eth0 -j CONNMARK --save-mark
-A PREROUTING -i eth0 -j MARK --set-mark 0
COMMIT"""
    with by_hand(setup=setup, rules=rules) as node:
        answer, _ = node.talk(udp("192.0.2.7.1000", "10.2.0.9.53"))
        assert "sent by eth0 to 10.1.0.254: 10.2.0.9.53 > 192.0.2.7.1000" == answer


@pytest.mark.xfail(strict=True, reason="a flow does not tell by which link it was masqueraded")
def test_a_masqueraded_connection_ends_with_its_way() -> None:
    """Sent by another link than the one whose address it has, a packet is dropped (nf_nat_core.c, nf_nat_oif_changed)."""
    setup = "ip route add default via 10.2.0.254 dev eth1"
    rules = "*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT"
    with by_hand("eth0", "eth1", "eth2", setup=setup, rules=rules) as node:
        talk = converse(node, udp("10.1.0.5.1000", "192.0.2.7.53"))
        _, answered = next(talk)
        assert "sent by eth0 to 10.1.0.5: 192.0.2.7.53 > 10.1.0.5.1000" == describe(answered)
        node.node.sh("ip route replace default via 10.3.0.254 dev eth2")
        following, lost = next(talk)
        assert "silence" == describe(lost)
        found = compare(following, lost, model(observe(node.node), following))
        assert found.verdict is Verdict.AGREE

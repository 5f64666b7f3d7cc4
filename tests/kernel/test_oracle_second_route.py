"""What the second routing of the node's own packets looks at, and which sources of IPv6 go back by their link."""

import pytest
from oracle.hand import by_hand, udp

from planner.models.flow import Entry

MARK = "*mangle\n-A OUTPUT -d {} -j MARK --set-mark 7\nCOMMIT"


@pytest.mark.parametrize("family", ["ip", "ip6"])
@pytest.mark.parametrize(
    ("more", "expected"), [("true", "eth1"), ("ip {} rule add pref 50 iif eth1 dport 9 lookup main", "eth0")]
)
def test_the_second_route_asks_for_ports_where_another_rule_does(
    family: str, more: str, expected: str
) -> None:
    """A rule for `iif lo` alone does not make the kernel take the packet apart again (fib_rule_requires_fldissect)."""
    six = family == "ip6"
    near, far, marked, plain = (
        ("fd00:1::fe", "fd00:2::fe", "fd00:7::", "fd00:8::") if six
        else ("10.1.0.254", "10.2.0.254", "192.0.2.", "198.51.100.")
    )  # fmt: skip
    option = "-6" if six else "-4"
    setup = f"""
ip {option} route add default via {far} dev eth1
ip {option} route add default via {near} dev eth0 table 100
ip {option} rule add pref 100 iif lo ipproto udp dport 53 lookup 100
{more.format(option)}"""
    own = "fd00:1::1" if six else "10.1.0.1"
    rules = MARK.format(f"{marked}/64" if six else f"{marked}0/24")
    with by_hand(setup=setup, rules=rules, tool="ip6tables-nft" if six else "iptables-nft") as node:
        told = [node.outcome(udp(f"{own}.1000", f"{to}7.53", "")).split()[2] for to in (marked, plain)]
        assert [expected, "eth0"] == told


def test_the_second_route_of_ipv6_keeps_the_user() -> None:
    """Unlike that of IPv4 (net/ipv6/netfilter.c, ip6_route_me_harder: flowi6_uid)."""
    setup = """
ip -6 route add default via fd00:2::fe dev eth1
ip -6 route add default via fd00:1::fe dev eth0 table 100
ip -6 rule add pref 100 uidrange 1000-1000 lookup 100"""
    with by_hand(setup=setup, rules=MARK.format("fd00:7::/64"), tool="ip6tables-nft") as node:
        told = [
            node.outcome(udp("fd00:1::1.1000", "fd00:7::7.53", "", entry=Entry(user=user))).split()[2]
            for user in (1000, 0)
        ]
        assert ["eth0", "eth1"] == told


@pytest.mark.parametrize("source", ["fe80::5", "::"])
def test_a_source_of_one_link_goes_back_by_that_link(source: str) -> None:
    """The check of sources stands in the branch for another link of departure (net/ipv6/ip6_output.c, ip6_forward)."""
    setup = "ip -6 neigh add fe80::5 lladdr 02:00:00:00:00:55 dev eth0"
    with by_hand(setup=setup) as node:
        assert (
            "sent by eth0 to fd00:1::9" == node.outcome(udp(f"{source}.1000", "fd00:1::9.53")).split(": ")[0]
        )

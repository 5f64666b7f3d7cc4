"""What becomes of the node's own addresses when their link goes down or loses its carrier: the kernel is asked."""

import pytest
from oracle.hand import by_hand, udp

KNOBS = (
    "sysctl -qw net.ipv6.conf.eth1.keep_addr_on_down=1"
    " net.ipv4.conf.eth1.ignore_routes_with_linkdown=1 net.ipv6.conf.eth1.ignore_routes_with_linkdown=1"
)
DOWN = "ip link set eth1 down"
STATES = {
    "up": ("true", "10.2.0.1"),
    "down": (DOWN, "10.2.0.1"),
    "down, the address new": (f"{DOWN}\nip addr add 10.9.9.9/24 dev eth1", "10.9.9.9"),
}


@pytest.mark.parametrize("name", STATES)
def test_an_ipv4_address_stays_local_whatever_its_link_does(name: str) -> None:
    """Its next hop has the scope `nowhere`, which no event of a link kills (fib_semantics.c, fib_sync_down_dev)."""
    setup, own = STATES[name]
    flow = udp("10.1.0.5.1000", f"{own}.53")
    with by_hand(setup=f"{KNOBS}\n{setup}") as node:
        assert "delivered" == node.outcome(flow).split(":")[0]
        assert "delivered" == node.grouped(flow).split(":")[0]


@pytest.mark.parametrize(
    ("setup", "expected"),
    [("true", "delivered"), (DOWN, "icmp 1/0"), (f"{DOWN}\nip link set eth1 up", "delivered")],
)
def test_an_ipv6_address_that_is_kept_is_local_while_its_link_is_up(setup: str, expected: str) -> None:
    """The routes of a link that goes down go, those of kept addresses too (net/ipv6/addrconf.c, addrconf_ifdown)."""
    flow = udp("fd00:1::5.1000", "fd00:2::1.53")
    with by_hand(setup=f"{KNOBS}\n{setup}") as node:
        assert expected in node.outcome(flow)
        assert expected in node.grouped(flow)


@pytest.mark.parametrize("own", ["10.9.9.9", "fd09::9"])
def test_an_address_on_a_bridge_without_carrier_is_local(own: str) -> None:
    """`ignore_routes_with_linkdown` is about routes that lead away (net/ipv6/ip6_fib.c, fib6_ifdown)."""
    setup = """
ip link add br9 type bridge
sysctl -qw net.ipv4.conf.br9.ignore_routes_with_linkdown=1 net.ipv6.conf.br9.ignore_routes_with_linkdown=1
ip addr add 10.9.9.9/24 dev br9
ip -6 addr add fd09::9/64 dev br9 nodad
ip link set br9 up"""
    near = "fd00:1::5" if ":" in own else "10.1.0.5"
    flow = udp(f"{near}.1000", f"{own}.53")
    with by_hand(setup=setup) as node:
        assert "delivered" == node.outcome(flow).split(":")[0]
        assert "delivered" == node.grouped(flow).split(":")[0]

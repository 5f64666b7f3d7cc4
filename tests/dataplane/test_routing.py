"""Policy rules, routes, and what the kernel refuses before any rule of netfilter."""

import pytest
from small_node import flow, link, node, out, route

from planner.dataplane.trace import trace
from planner.models.flow import Disposition
from planner.models.route import NextHop, NextHopObject, PolicyRule


def one(state, packet):
    traces = trace(state, packet)
    assert 1 == len(traces)
    return traces[0]


def rule(preference: int, **more: object) -> PolicyRule:
    return PolicyRule(family="ip", preference=preference, **more)


def test_the_longest_prefix_wins_then_the_smaller_metric() -> None:
    """Whatever the order in which they were written."""
    routes = (
        route("192.0.2.0/24", "eth1", "10.9.0.1", metric=50),
        route("192.0.2.0/24", "eth0", "10.0.0.2", metric=20),
        route("192.0.0.0/16", "eth1", "10.9.0.2"),
    )

    assert ("eth0", "10.0.0.2") == (
        one(node(routes=routes), out()).link,
        one(node(routes=routes), out()).next_hop,
    )


def test_a_route_for_a_type_of_service_is_for_that_alone() -> None:
    """The exact one beats the one for all."""
    routes = (
        route("192.0.2.0/24", "eth1", "10.9.0.1", tos="0x10"),
        route("192.0.2.0/24", "eth0", "10.0.0.1"),
    )

    assert "eth0" == one(node(routes=routes), out()).link
    assert "eth1" == one(node(routes=routes), out(tos=0x10)).link


@pytest.mark.parametrize(
    ("kind", "expected", "told"),
    [
        ("blackhole", Disposition.BLACKHOLE, ""),
        ("unreachable", Disposition.UNREACHABLE, "host-unreachable"),
        ("prohibit", Disposition.UNREACHABLE, "admin-prohibited"),
        ("throw", Disposition.NO_ROUTE, "net-unreachable"),
    ],
)
def test_types_that_refuse(kind: str, expected: Disposition, told: str) -> None:
    """Each with its own error; throw looks on, and here nothing follows."""
    found = one(node(routes=(route("192.0.2.0/24", type=kind),)), out())

    assert (expected, told) == (found.disposition, found.reject_kind)


def test_a_rule_that_refuses_says_network_where_a_route_says_host() -> None:
    """`unreachable` of a policy rule is answered with 3/0 (measured)."""
    found = one(node(policy=(rule(100, action="unreachable"),)), out())

    assert (Disposition.UNREACHABLE, "net-unreachable") == (found.disposition, found.reject_kind)


def test_lookup_goes_on_behind_a_table_without_a_route() -> None:
    """And behind a throw."""
    state = node(
        routes=(route("192.0.2.0/24", type="throw", table="100"),),
        policy=(rule(100, table="100"), rule(200, table="101")),
    )

    assert "eth0" == one(state, out()).link


def test_marks_choose_tables() -> None:
    """A mark under a mask, set in PREROUTING."""
    state = node(
        "mangle PREROUTING -i pod1 -j MARK --set-xmark 0x80/0xff",
        routes=(route("0.0.0.0/0", "eth1", "10.9.0.1", table="100"),),
        policy=(rule(100, fwmark="0x80/0x80", table="100"),),
    )

    assert ("eth1", "eth0") == (one(state, out()).link, one(state, out(entry="pod2")).link)


def test_suppressed_default_routes_leave_the_rest() -> None:
    """`suppress_prefixlength 0`: main without its default route, then the other table."""
    state = node(
        routes=(route("0.0.0.0/0", "eth1", "10.9.0.1", table="100"),),
        policy=(rule(100, table="254", suppress_prefixlength=0), rule(200, table="100")),
    )

    assert ("eth1", "eth0") == (one(state, out()).link, one(state, out(destination="10.0.0.77")).link)


def test_a_rule_may_be_turned_round() -> None:
    """`not from`."""
    state = node(
        routes=(route("0.0.0.0/0", "eth1", "10.9.0.1", table="100"),),
        policy=(rule(100, source="10.244.1.2/32", inverted=True, table="100"),),
    )

    assert ("eth0", "eth1") == (one(state, out()).link, one(state, out(source="10.244.1.3")).link)


def test_own_packets_enter_rules_by_lo() -> None:
    """`iif lo` are packets of the node itself."""
    state = node(
        routes=(route("0.0.0.0/0", "eth1", "10.9.0.1", table="100"),),
        policy=(rule(100, iif="lo", table="100"),),
    )

    assert ("eth1", "eth0") == (one(state, flow("10.0.0.5", "192.0.2.9")).link, one(state, out()).link)


def test_goto_skips_rules() -> None:
    """A jump forward in the policy database."""
    state = node(
        policy=(rule(100, action="goto", goto=300), rule(200, action="blackhole"), rule(300, action="nop"))
    )

    assert Disposition.SENT is one(state, out()).disposition


def test_the_local_table_may_come_later() -> None:
    """With the rule of the local table moved, others are asked before it."""
    state = node(policy=(rule(100, action="prohibit", destination="10.0.0.5/32"),))
    first = state.policy_rules[0]
    moved = state.model_copy(
        update={"policy_rules": (*state.policy_rules[1:], first.model_copy(update={"preference": 500}))}
    )

    assert Disposition.DELIVERED is one(state, flow("10.0.0.77", "10.0.0.5", "eth0")).disposition
    assert Disposition.UNREACHABLE is one(moved, flow("10.0.0.77", "10.0.0.5", "eth0")).disposition


def test_a_route_over_a_link_that_is_down_is_dead() -> None:
    """The next best is taken."""
    eth1 = link("eth1", 3, "10.9.0.5/24", up=False)
    state = node(routes=(route("192.0.2.0/24", "eth1", "10.9.0.1"),), links=(eth1,))

    assert "eth0" == one(state, out()).link


def test_without_carrier_a_route_is_dead_only_where_that_is_said() -> None:
    """ignore_routes_with_linkdown."""
    eth1 = link("eth1", 3, "10.9.0.5/24", carrier=False)
    routes = (route("192.0.2.0/24", "eth1", "10.9.0.1"),)
    key = "net.ipv4.conf.eth1.ignore_routes_with_linkdown"

    assert "eth1" == one(node(routes=routes, links=(eth1,)), out()).link
    assert "eth0" == one(node(routes=routes, links=(eth1,), sysctls={key: "1"}), out()).link


def test_several_next_hops_are_several_outcomes() -> None:
    """The kernel hashes the flow with a seed of its own: weights become probabilities."""
    hops = (NextHop(via="10.0.0.1", link="eth0", weight=3), NextHop(via="10.9.0.1", link="eth1", weight=1))
    traces = trace(node(routes=(route("192.0.2.0/24", nexthops=hops),)), out())

    assert ["eth0", "eth1"] == [found.link for found in traces]
    assert "(0.75000000000): hit" in traces[0].draws[0]


def test_nexthop_objects_are_followed() -> None:
    """A group of objects is as good as several next hops; a blackhole discards."""
    state = node(routes=(route("192.0.2.0/24", nexthop_id=10), route("198.51.100.0/24", nexthop_id=3)))
    state = state.model_copy(
        update={
            "nexthop_objects": (
                NextHopObject(id=1, hop=NextHop(via="10.0.0.1", link="eth0")),
                NextHopObject(id=2, hop=NextHop(via="10.9.0.1", link="eth1")),
                NextHopObject(id=3, blackhole=True),
                NextHopObject(id=10, group=((1, 1), (2, 1))),
            )
        }
    )

    assert {"eth0", "eth1"} == {found.link for found in trace(state, out())}
    assert Disposition.BLACKHOLE is one(state, out(destination="198.51.100.1")).disposition


def test_forwarding_is_judged_where_the_packet_came_in() -> None:
    """IPv4: the link's own value; the value for all links is not asked."""
    off = node(sysctls={"net.ipv4.conf.pod1.forwarding": "0"})

    assert Disposition.NO_FORWARDING is one(off, out()).disposition
    assert Disposition.SENT is one(off, out(source="10.244.1.3", entry="pod2")).disposition


def test_ipv6_forwards_as_a_whole() -> None:
    """IPv6: the value for all links."""
    packet = flow("2001:db8:1::2", "2001:db8:f::1", "pod1")
    off = node(sysctls={"net.ipv6.conf.all.forwarding": "0", "net.ipv6.conf.pod1.forwarding": "1"})

    assert Disposition.SENT is one(node(), packet).disposition
    assert Disposition.NO_FORWARDING is one(off, packet).disposition


def test_a_value_that_is_not_known_and_decides_makes_it_unknown() -> None:
    """Never silently safe."""
    state = node()
    values = {key: value for key, value in state.sysctls.items() if key != "net.ipv4.conf.pod1.forwarding"}
    found = one(state.model_copy(update={"sysctls": values}), out())

    assert Disposition.UNKNOWN is found.disposition
    assert "net.ipv4.conf.pod1.forwarding" in found.reason


def test_the_hop_limit_ends_before_forward() -> None:
    """No rule of FORWARD sees it; the sender is told."""
    found = one(node("filter FORWARD -j DROP"), out(hop_limit=1))

    assert (Disposition.EXPIRED, "time-exceeded") == (found.disposition, found.reject_kind)


def test_what_is_too_long_is_told_or_cut() -> None:
    """With DF the sender is told, without it the packet is cut."""
    eth0 = link("eth0", 2, "10.0.0.5/24", mtu=1400)
    found = one(node(links=(eth0,)), out(length=1500))

    assert (Disposition.TOO_BIG, "fragmentation-needed") == (found.disposition, found.reject_kind)
    assert Disposition.SENT is one(node(links=(eth0,)), out(length=1500, dont_fragment=False)).disposition


def test_there_are_no_errors_about_errors() -> None:
    """An ICMP error that finds no route is dropped without a word."""
    state = node(routes=(route("192.0.2.0/24", type="unreachable"),))

    assert "" == one(state, out(protocol=1, icmp_type=3, icmp_code=1)).reject_kind


def test_loopback_addresses_from_outside_need_route_localnet() -> None:
    """The knob of the link of entry, or of all."""
    packet = flow("10.0.0.77", "127.0.0.1", "eth0")

    assert Disposition.MARTIAN is one(node(), packet).disposition
    opened = node(sysctls={"net.ipv4.conf.eth0.route_localnet": "1"})
    assert Disposition.DELIVERED is one(opened, packet).disposition


def test_own_addresses_are_no_source_from_outside() -> None:
    """Unless accept_local says so."""
    packet = flow("10.9.0.5", "192.0.2.9", "pod1")

    assert Disposition.MARTIAN is one(node(), packet).disposition
    opened = node(sysctls={"net.ipv4.conf.all.accept_local": "1"})
    assert Disposition.SENT is one(opened, packet).disposition


def test_broadcasts_are_for_the_node() -> None:
    """The broadcast address of a link, and the limited one."""
    for destination in ("10.0.0.255", "255.255.255.255"):
        assert Disposition.DELIVERED is one(node(), flow("10.0.0.77", destination, "eth0")).disposition


def test_groups_that_may_be_joined_are_unknown() -> None:
    """Memberships are not in a snapshot."""
    assert Disposition.UNKNOWN is one(node(), flow("10.0.0.77", "239.1.2.3", "eth0")).disposition


def test_rp_filter_strict_wants_the_way_back_through_the_link() -> None:
    """The larger of all and the link counts; loose wants any way back."""
    packet = flow("192.0.2.9", "10.244.1.2", "eth1")
    strict = node(sysctls={"net.ipv4.conf.all.rp_filter": "1"})
    loose = node(sysctls={"net.ipv4.conf.all.rp_filter": "1", "net.ipv4.conf.eth1.rp_filter": "2"})

    found = one(strict, packet)
    assert Disposition.RP_FILTER is found.disposition
    assert (
        "net.ipv4.conf.all.rp_filter=1: for 192.0.2.9 on eth1 the way back is 0.0.0.0/0 via 10.0.0.1 dev eth0"
        in found.reason
    )
    assert Disposition.SENT is one(loose, packet).disposition


def test_the_way_back_is_looked_up_by_the_link_that_it_leaves_by() -> None:
    """A rule for packets *from* the pod's link decides about packets *to* the pod (measured)."""
    state = node(
        routes=(route("0.0.0.0/0", "eth1", "10.9.0.1", table="100"),),
        policy=(rule(100, iif="pod1", table="100"),),
        sysctls={"net.ipv4.conf.all.rp_filter": "1"},
    )

    assert Disposition.SENT is one(state, flow("192.0.2.9", "10.244.1.2", "eth1")).disposition
    assert Disposition.RP_FILTER is one(state, flow("192.0.2.9", "10.244.1.2", "eth0")).disposition


def test_the_way_back_sees_the_mark_only_with_src_valid_mark() -> None:
    """The packet's mark counts for its own route, and for the way back when asked to."""
    text = "mangle PREROUTING -i eth1 -j MARK --set-xmark 0x1/0x1"
    more = {
        "routes": (route("0.0.0.0/0", "eth1", "10.9.0.1", table="100"),),
        "policy": (rule(100, fwmark="0x1", source="10.244.1.2/32", table="100"),),
    }
    packet = flow("192.0.2.9", "10.244.1.2", "eth1")
    strict = {"net.ipv4.conf.eth1.rp_filter": "1"}

    assert Disposition.RP_FILTER is one(node(text, sysctls=strict, **more), packet).disposition
    valid = strict | {"net.ipv4.conf.all.src_valid_mark": "1"}
    assert Disposition.SENT is one(node(text, sysctls=valid, **more), packet).disposition


def test_a_link_without_address_is_strict_when_loose() -> None:
    """Where the way back is another link, loose fails too (fib_frontend.c, no_addr)."""
    loose = {"net.ipv4.conf.all.rp_filter": "2"}

    assert (
        Disposition.RP_FILTER is one(node(sysctls=loose), flow("192.0.2.9", "10.0.0.77", "pod1")).disposition
    )
    assert Disposition.SENT is one(node(sysctls=loose), flow("192.0.2.9", "10.244.1.2", "eth1")).disposition


def test_a_mark_set_in_mangle_output_routes_again() -> None:
    """In raw it does not (measured)."""
    more = {
        "routes": (route("0.0.0.0/0", "eth1", "10.9.0.1", table="100"),),
        "policy": (rule(100, fwmark="0x1", table="100"),),
    }
    packet = flow("10.0.0.5", "192.0.2.9")

    assert "eth1" == one(node("mangle OUTPUT -j MARK --set-xmark 0x1/0x1", **more), packet).link
    assert "eth0" == one(node("raw OUTPUT -j MARK --set-xmark 0x1/0x1", **more), packet).link


def test_loopback_sources_stay_on_the_node() -> None:
    """127.0.0.1 leaves only by links with route_localnet (measured)."""
    assert Disposition.MARTIAN is one(node(), flow("127.0.0.1", "192.0.2.9")).disposition


def test_own_traffic_passes_both_ends_over_lo() -> None:
    """OUTPUT, POSTROUTING, PREROUTING, INPUT; no source check on the second half."""
    text = "mangle POSTROUTING -o lo -j MARK --set-xmark 0x1/0x1\nfilter INPUT -i lo -m mark --mark 0x1/0x1 -j DROP"

    assert Disposition.DROPPED is one(node(text), flow("10.0.0.5", "10.9.0.5")).disposition


def test_routes_that_could_not_be_read_are_a_doubt() -> None:
    """A gap never looks like an empty table."""
    from planner.models.source import Gap

    state = node().model_copy(update={"gaps": (Gap(section="routes/ip", reason="not collected"),)})

    assert Disposition.UNKNOWN is one(state, out()).disposition


@pytest.mark.parametrize(
    ("options", "dropped"), [("--invert", True), ("--loose --invert", False), ("", False)]
)
def test_rpfilter_is_a_source_check_as_a_rule(options: str, dropped: bool) -> None:
    """A source whose way back is another link (firewalls drop it with --invert)."""
    state = node(f"mangle PREROUTING -m rpfilter {options} -j DROP".replace("  ", " "))
    found = one(state, flow("192.0.2.9", "10.244.1.2", "eth1"))

    assert dropped == (found.disposition is Disposition.DROPPED)

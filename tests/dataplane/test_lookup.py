"""What other parts ask the data plane about routing, and that the answer is a packet's."""

from itertools import product

import pytest
from small_node import flow, link, node, route

from planner.dataplane.agree import same_in_table, same_rules
from planner.dataplane.lookup import lookup, lookup_query, outside, reverse_path, selected_by
from planner.dataplane.trace import trace
from planner.models.flow import Disposition
from planner.models.route import NextHop, PolicyRule
from planner.models.source import Gap
from planner.sysctls.catalogue import effective
from planner.sysctls.names import conf


def rule(preference: int, **more: object) -> PolicyRule:
    return PolicyRule(family="ip", preference=preference, **{"table": "100", **more})


SIDE = route("0.0.0.0/0", "eth1", "10.9.0.1", table="100")


@pytest.mark.parametrize(
    ("policy", "asked", "by"),
    [
        (rule(100, fwmark="0x80/0x80"), {"mark": 0x80}, "eth1"),
        (rule(100, fwmark="0x80/0x80"), {"mark": 0x40}, "eth0"),
        (rule(100, source="10.244.1.2/32"), {"source": "10.244.1.2", "link": "pod1"}, "eth1"),
        (rule(100, source="10.244.1.2/32"), {"source": "10.244.1.3", "link": "pod2"}, "eth0"),
        (rule(100, iif="pod1"), {"source": "10.244.1.2", "link": "pod1"}, "eth1"),
        (rule(100, iif="pod1"), {}, "eth0"),
        (rule(100, table="254", suppress_prefixlength=0), {}, "eth0"),
        (rule(40000), {}, "eth0"),
    ],
)
def test_policy_rules_count(policy: PolicyRule, asked: dict[str, object], by: str) -> None:
    """Mark, source, link of entry, preference."""
    state = node(routes=(SIDE,), policy=(policy,))

    assert [by] == [leg.link for leg in lookup(state, "192.0.2.9", **asked).legs]


def test_dead_links_lead_nowhere() -> None:
    """A route by a link that is down is passed over, and the next best is taken."""
    state = node(
        routes=(route("198.51.100.0/24", "eth1", "10.9.0.1"),),
        links=(link("eth1", 3, "10.9.0.5/24", up=False),),
    )

    assert "via 10.0.0.1 on eth0" == str(lookup(state, "198.51.100.7"))


def test_every_next_hop_that_can_be_used_is_told() -> None:
    """Which one a flow takes hangs on a hash."""
    both = (NextHop(via="10.0.0.1", link="eth0"), NextHop(via="10.9.0.1", link="eth1"))
    state = node(routes=(route("198.51.100.0/24", nexthops=both),))

    assert "via 10.0.0.1 on eth0 or via 10.9.0.1 on eth1" == str(lookup(state, "198.51.100.7"))


def test_what_is_not_known_and_decides_is_a_doubt() -> None:
    """A rule that looks at something unknown; a section that could not be read."""
    odd = node(routes=(SIDE,), policy=(rule(100, options={"tun_id": "7"}),))
    unread = node().model_copy(update={"gaps": (Gap(section="policy_rules/ip", reason="not allowed"),)})

    assert "policy rule 100 looks at something that is not known" == lookup(odd, "192.0.2.9").doubt
    assert "policy_rules/ip: not allowed" == lookup(unread, "192.0.2.9").doubt
    assert "policy_rules/ip: not allowed" == reverse_path(unread, "eth0", "192.0.2.9").doubt


@pytest.mark.parametrize("source", ["192.0.2.9", "10.9.0.7", "10.244.1.2", "10.0.0.5", "10.0.0.255"])
@pytest.mark.parametrize("entry", ["eth0", "eth1"])
@pytest.mark.parametrize("mode", ["0", "1", "2"])
def test_the_check_of_the_source_is_that_of_the_trace(mode: str, entry: str, source: str) -> None:
    """Asked alone, or on the way of a packet."""
    state = node(sysctls={"net.ipv4.conf.all.rp_filter": mode})
    told = reverse_path(state, entry, source, destination="10.0.0.5")
    (found,) = trace(state, flow(source, "10.0.0.5", entry))

    assert (told.refused or Disposition.DELIVERED) is found.disposition
    assert told.reason == found.reason


def test_the_way_back_of_a_translated_packet() -> None:
    """It is looked up for the pod that it goes to, so that a rule for that pod decides."""
    own = rule(100, source="10.244.1.2/32")
    state = node(routes=(SIDE,), policy=(own,), sysctls={"net.ipv4.conf.eth0.rp_filter": "1"})
    to_pod = reverse_path(state, "eth0", "192.0.2.9", destination="10.244.1.2", out_link="pod1")

    assert Disposition.RP_FILTER is to_pod.refused
    assert None is reverse_path(state, "eth0", "192.0.2.9").refused


@pytest.mark.parametrize(
    ("knob", "values"), [("rp_filter", "012"), ("accept_local", "01"), ("src_valid_mark", "01")]
)
def test_effective_values_are_those_that_packets_meet(knob: str, values: str) -> None:
    """The catalogue of sysctls combines a link's value with that of all as the data plane does."""
    for everywhere, own in product(values, repeat=2):
        keys = {conf("ipv4", "all", knob): everywhere, conf("ipv4", "eth1", knob): own}
        acting = effective(conf("ipv4", "eth1", knob), keys)
        alone = {conf("ipv4", "all", knob): "0", conf("ipv4", "eth1", knob): acting or ""}
        base = {"net.ipv4.conf.eth1.rp_filter": "1"} if knob != "rp_filter" else {}
        sources = ("192.0.2.9", "10.0.0.5", "172.31.0.1")
        found = [
            [reverse_path(node(sysctls=base | given), "eth1", source, mark=7).refused for source in sources]
            for given in (keys, alone)
        ]

        assert found[0] == found[1]


def test_a_packet_that_a_rule_is_for() -> None:
    """Is selected by it."""
    wanted = rule(100, source="10.244.1.0/24", fwmark="0x80/0xff", iif="pod1", ipproto="udp", dport="53-60")
    query = selected_by(wanted, "192.0.2.9")

    assert query is not None
    state = node(routes=(SIDE,), policy=(wanted,))

    assert wanted == lookup_query(state, "ip", query).rule
    assert None is selected_by(rule(100, inverted=True), "192.0.2.9")


def test_the_world_is_what_only_the_default_leads_to() -> None:
    """The first of some addresses that no other route is for."""
    assert "203.0.113.1" == outside("ip", node())
    assert "198.51.100.1" == outside("ip", node(), node(routes=(route("203.0.113.0/24", "eth1"),)))


@pytest.mark.parametrize(
    ("prefix", "dev", "via", "same"),
    [
        ("192.0.2.0/24", "eth0", "10.0.0.1", True),
        ("192.0.2.0/24", "eth1", "10.9.0.1", False),
        ("192.0.2.0/25", "eth0", "10.0.0.1", True),
        ("10.244.1.0/24", "eth0", "10.0.0.1", True),
        ("10.244.0.0/16", "eth1", "10.9.0.1", False),
    ],
)
def test_tables_that_decide_alike(prefix: str, dev: str, via: str, same: bool) -> None:
    """A route that repeats a wider one, or is hidden by longer ones, changes nothing."""
    assert same is same_in_table(node(), node(routes=(route(prefix, dev, via),)), "ip", "254", prefix)


def test_rules_that_ask_alike() -> None:
    """A repeated rule asks in vain; where one jumps, numbers count."""
    jump, behind = rule(50, action="goto", goto=200, table=""), rule(200)
    moved = behind.model_copy(update={"preference": 300})

    assert same_rules(node(), node(policy=(rule(32765, table="254"),)), "ip")
    assert same_rules(node(policy=(behind,)), node(policy=(moved,)), "ip")
    assert not same_rules(node(), node(policy=(rule(100),)), "ip")
    assert not same_rules(node(policy=(jump, behind)), node(policy=(jump, moved)), "ip")

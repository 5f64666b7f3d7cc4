"""Routes and rules are compared by what they decide."""

from planner.diff.routes import diff_routes
from planner.models.change import (
    ForwardingChange,
    NeighbourChange,
    NextHopChange,
    PolicyRuleChange,
    RouteChange,
)
from planner.models.link import Address, ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState
from planner.parse.ip_text import parse_policy_rules, parse_routes

EMPTY = NodeState(name="n")


def state(*lines: str, family: str = "ip", **more: object) -> NodeState:
    routes, gaps = parse_routes("\n".join(lines), family)
    assert () == gaps
    return EMPTY.model_copy(update={"routes": routes, **more})


def rules(*lines: str) -> NodeState:
    found, gaps = parse_policy_rules("\n".join(lines), "ip")
    assert () == gaps
    return EMPTY.model_copy(update={"policy_rules": found})


def test_equal_states_do_not_differ():
    """Nothing comes of comparing a state with itself."""
    same = state("default via 10.0.0.1 dev e", "10.0.0.0/24 dev e proto kernel scope link src 10.0.0.5")

    assert [] == list(diff_routes(same, same))


def test_listing_order_notation_and_protocol_are_no_difference():
    """What the kernel decides is the same."""
    before = state(
        "10.1.0.0/16 via 10.0.0.2 dev e proto static",
        "10.2.0.0/16 nexthop via 10.0.0.3 dev e nexthop via 10.0.0.4 dev e",
    )
    after = state(
        "10.2.0.0/16 nexthop via 10.0.0.4 dev e nexthop via 10.0.0.3 dev e",
        "10.1.0.0/16 via 10.0.0.2 dev e proto bird",
    )

    assert [] == list(diff_routes(before, after))


def test_the_same_key_pairs_before_and_after():
    """Another gateway for the same prefix and metric is one change, not two."""
    (change,) = diff_routes(state("default via 10.0.0.1 dev e"), state("default via 10.0.0.254 dev e"))

    assert isinstance(change, RouteChange)
    assert change.before is not None
    assert change.after is not None
    assert ("10.0.0.1", "10.0.0.254") == (change.before.nexthops[0].via, change.after.nexthops[0].via)


def test_another_metric_is_another_route():
    """It does not replace the first."""
    changes = list(
        diff_routes(
            state("default via 10.0.0.1 dev e metric 100"), state("default via 10.0.0.1 dev e metric 200")
        )
    )

    assert 2 == len(changes)


def test_the_weight_of_a_next_hop_counts():
    """It shares the flows."""
    before = state("10.2.0.0/16 nexthop via 10.0.0.3 dev e weight 1 nexthop via 10.0.0.4 dev e weight 1")
    after = state("10.2.0.0/16 nexthop via 10.0.0.3 dev e weight 9 nexthop via 10.0.0.4 dev e weight 1")

    assert 1 == len(list(diff_routes(before, after)))


def test_a_lifetime_is_no_difference():
    """Router advertisements renew it all the time."""
    before = state("default via fe80::1 dev e proto ra metric 1024 expires 1700sec", family="ip6")
    after = state("default via fe80::1 dev e proto ra metric 1024 expires 12sec", family="ip6")

    assert [] == list(diff_routes(before, after))


def test_local_entries_follow_the_address():
    """The change of the address says it; the entries of table local say nothing more."""
    link = Link(name="e", addresses=(Address(address="10.0.0.5", length=24),))
    before = state("local 10.0.0.5 dev e table local proto kernel scope host src 10.0.0.5", links=(link,))
    after = state(links=(link.model_copy(update={"addresses": ()}),))

    assert [] == list(diff_routes(before, after))


def test_a_local_entry_that_goes_by_itself_is_told():
    """Someone deleted it while the address stayed: the node no longer takes its packets in."""
    link = Link(name="e", addresses=(Address(address="10.0.0.5", length=24),))
    before = state("local 10.0.0.5 dev e table local proto kernel scope host src 10.0.0.5", links=(link,))

    assert 1 == len(list(diff_routes(before, state(links=(link,)))))


def test_link_local_prefixes_of_two_links_are_two_routes():
    """One that came on a link is not the after of one that went on another."""
    before = state("fe80::/64 dev a proto kernel metric 256", family="ip6")
    after = state("fe80::/64 dev b proto kernel metric 256", family="ip6")
    changes = list(diff_routes(before, after))

    assert [(True, False), (False, True)] == [(c.before is not None, c.after is not None) for c in changes]


def test_a_moved_rule_is_one_that_went_and_one_that_came():
    """Preference is part of what a rule is."""
    before = rules("0: from all lookup local", "32766: from all lookup main")
    after = rules("100: from all lookup local", "32766: from all lookup main")
    changes = list(diff_routes(before, after))

    assert [(0, None), (None, 100)] == [
        (c.before and c.before.preference, c.after and c.after.preference)
        for c in changes
        if isinstance(c, PolicyRuleChange)
    ]


def test_the_order_of_rules_of_one_preference_decides():
    """The first that matches wins."""
    before = rules("100: from 10.0.0.0/8 lookup 5", "100: from 10.1.0.0/16 lookup 6")
    after = rules("100: from 10.1.0.0/16 lookup 6", "100: from 10.0.0.0/8 lookup 5")

    assert list(diff_routes(before, after))


def test_only_written_neighbours_and_entries_count():
    """Learned ones move by themselves, and a bridge keeps its ports' own addresses."""
    learned = Neighbour(address="10.0.0.9", link="e", mac="02:00:00:00:00:09", state="STALE")
    port = Link(name="p", mac="02:00:00:00:00:01", master="br0")
    own = ForwardingEntry(mac=port.mac, link="p", permanent=True, master="br0")
    remote = ForwardingEntry(
        mac="02:00:00:00:00:02", link="flannel.1", permanent=True, destination="10.0.0.7"
    )
    before = EMPTY.model_copy(update={"links": (port,), "neighbours": (learned,), "fdb": (own, remote)})
    moved = remote.model_copy(update={"destination": "10.0.0.8"})
    fixed = learned.model_copy(update={"permanent": True})
    after = EMPTY.model_copy(update={"links": (port,), "neighbours": (fixed,), "fdb": (moved,)})
    kinds = [type(change) for change in diff_routes(before, after)]

    assert [NeighbourChange, ForwardingChange] == kinds
    assert NextHopChange not in kinds

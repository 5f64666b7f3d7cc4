"""Whole nodes and snapshots: everything that differs, once, in one order, and what is not known."""

from planner.diff.nodes import comparison_gaps, diff_nodes
from planner.diff.snapshots import diff_snapshots
from planner.models.link import Address, Link
from planner.models.node import ConfigFile, NodeState
from planner.models.route import NextHop, Route
from planner.models.ruleset import IpSet, NativeRuleset, Ruleset, Table
from planner.models.snapshot import Snapshot
from planner.models.source import Gap


def full(name="node-1", **changes):
    state = NodeState(
        name=name,
        sysctls={"net.ipv4.ip_forward": "1"},
        links=(Link(name="eth0", addresses=(Address(address="192.0.2.5", length=24),)),),
        routes=(Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="192.0.2.1", link="eth0"),)),),
        rulesets=(
            Ruleset(
                family="ip",
                backend="nft",
                tables={
                    "filter": Table(
                        name="filter", policies={"INPUT": "ACCEPT"}, chains={"INPUT": ("-j DROP",)}
                    )
                },
            ),
        ),
        native=NativeRuleset(text="table inet fw {\n\tchain c {\n\t\tdrop\n\t}\n}\n"),
        ipsets=(IpSet(name="s", type="hash:ip", elements=("192.0.2.9",)),),
        files={
            "/etc/resolv.conf": ConfigFile(text="nameserver 192.0.2.53\n"),
            "/etc/hosts": ConfigFile(text="127.0.0.1 localhost\n"),
        },
    )
    return state.model_copy(update=changes)


def bare(*gaps):
    return NodeState(name="node-1", gaps=gaps)


def snapshot(*nodes):
    return Snapshot(taken_at="2024-05-01T00:00:00Z", nodes=nodes)


def test_a_node_does_not_differ_from_its_copy():
    """diff(a, a) is empty, for an equal state that is another object as well."""
    assert () == diff_nodes(full(), full())


def test_every_kind_is_compared():
    """A node that lost everything shows one change at least of each kind that it had."""
    kinds = {change.kind for change in diff_nodes(full(), bare())}
    assert {
        "sysctl",
        "rule",
        "chain-policy",
        "nft-table",
        "ipset",
        "route",
        "link",
        "document",
        "file",
    } <= kinds


def test_equal_input_gives_equal_changes():
    """The order of the changes does not depend on the order in which mappings were filled."""
    state = full()
    turned = state.model_copy(update={"files": dict(reversed(state.files.items()))})
    assert diff_nodes(state, bare()) == diff_nodes(turned, bare())


SECTIONS = (
    "sysctl",
    "iptables/nft/ip",
    "nft",
    "ipset",
    "files",
    "links",
    "routes/ip",
    "routes/ip6",
    "policy_rules/ip",
    "policy_rules/ip6",
    "nexthop_objects",
    "neighbours",
    "fdb",
)


def test_a_node_of_which_nothing_could_be_read_has_no_changes():
    """An unprivileged collector makes gaps, not differences, in both directions; the gaps are told."""
    unread = bare(*(Gap(section=section, reason="Permission denied") for section in SECTIONS))
    assert () == diff_nodes(full(), unread)
    assert () == diff_nodes(unread, full())
    assert sorted(SECTIONS) == [gap.section for gap in comparison_gaps(full(), unread)]
    assert all("unknown after" in gap.reason for gap in comparison_gaps(full(), unread))


def test_nodes_are_paired_by_name():
    """A node that only one snapshot has is named, and not a node full of changes."""
    result = diff_snapshots(
        snapshot(full("a"), full("b"), full("c")),
        snapshot(full("b", sysctls={"net.ipv4.ip_forward": "0"}), full("c"), full("d")),
    )
    assert (["b"], ("a",), ("d",)) == (
        [change.node for change in result.changes],
        result.only_before,
        result.only_after,
    )


def test_single_nodes_are_compared_whatever_they_are_called():
    """A node that was renamed, or a new image beside an old one."""
    result = diff_snapshots(
        snapshot(full("old")), snapshot(full("new", sysctls={"net.ipv4.ip_forward": "0"}))
    )
    assert (["new"], (), ()) == (
        [change.node for change in result.changes],
        result.only_before,
        result.only_after,
    )


def test_gaps_of_several_nodes_name_their_node():
    """Otherwise a reader could not tell whose rules are unknown."""
    gap = (Gap(section="sysctl", reason="needs root"),)
    result = diff_snapshots(snapshot(full("a"), full("b")), snapshot(full("a"), full("b", gaps=gap)))
    assert ["b: not compared, unknown after: needs root"] == [each.reason for each in result.gaps]

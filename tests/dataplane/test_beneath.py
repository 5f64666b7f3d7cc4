"""Settings below IP are no proof that nothing changes, and what decides about no packet does not spoil one."""

import pytest

from planner.dataplane.beneath import beneath
from planner.models.horizon import Horizon
from planner.models.link import Address, ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState
from planner.models.proposal import Outlook
from planner.models.route import NextHop, Route
from planner.packet_changes import PacketChanges
from planner.topology.derive import derive_topology


def node(**changed: object) -> NodeState:
    links = (
        Link(name="eth0"),
        Link(name="br0", kind="bridge", options={"stp_state": "0", "vlan_filtering": "0"}),
        Link(name="p0", kind="veth", master="br0", options={"hairpin": "on", "isolated": "off", "cost": "2"}),
        Link(name="vx0", kind="vxlan", options={"id": "1"}),
    )
    parts: dict[str, object] = {
        "links": links,
        "neighbours": (
            Neighbour(address="10.0.0.1", link="eth0", mac="02:00:00:00:00:01"),
            Neighbour(address="10.9.0.0", link="vx0", mac="02:00:00:00:00:09", permanent=True),
        ),
        "fdb": (
            ForwardingEntry(mac="02:00:00:00:00:09", link="vx0", destination="10.0.0.9", permanent=True),
        ),
        "routes": (
            Route(family="ip", prefix="10.9.0.0/24", nexthops=(NextHop(via="10.9.0.0", link="vx0"),)),
        ),
    }
    return NodeState(name="n", **{**parts, **changed})  # type: ignore[arg-type]


def with_option(name: str, option: str, value: str) -> NodeState:
    old = node()
    return old.model_copy(
        update={
            "links": tuple(
                one.model_copy(update={"options": {**one.options, option: value}})
                if one.name == name
                else one
                for one in old.links
            )
        }
    )


def names(after: NodeState, before: NodeState | None = None) -> list[str]:
    return [name for name, _ in beneath(before or node(), after)]


@pytest.mark.parametrize(
    ("link", "option", "value"),
    [
        ("eth0", "arp", "off"),
        ("eth0", "multicast", "off"),
        ("br0", "vlan_filtering", "1"),
        ("br0", "stp_state", "1"),
        ("p0", "hairpin", "off"),
        ("p0", "isolated", "on"),
        ("vx0", "id", "2"),
        ("vx0", "remote", "192.0.2.9"),
        ("eth0", "something_new", "7"),
    ],
)
def test_a_setting_that_decides_about_frames_is_told(link: str, option: str, value: str) -> None:
    """What is not known to be harmless decides."""
    assert [f"link {link} options/{option}"] == names(with_option(link, option, value))


@pytest.mark.parametrize(
    ("link", "option", "value"),
    [
        ("br0", "ageing_time", "60000"),
        ("eth0", "promisc", "on"),
        ("p0", "cost", "9"),
        ("p0", "group_fwd_mask", "8"),
        ("br0", "vlan_default_pvid", "0"),
        ("br0", "nf_call_iptables", "1"),
    ],
)
def test_a_harmless_setting_is_not_told(link: str, option: str, value: str) -> None:
    """Nothing is said of timers, of groups, of what the model follows, and of values that are as good as none."""
    assert [] == names(with_option(link, option, value))


def test_the_cost_of_a_port_counts_with_the_spanning_tree() -> None:
    """It decides then which port stands still."""
    before = with_option("br0", "stp_state", "1")
    after = before.model_copy(
        update={
            "links": tuple(
                one.model_copy(update={"options": {**one.options, "cost": "9"}}) if one.name == "p0" else one
                for one in before.links
            )
        }
    )
    assert ["link p0 options/cost"] == names(after, before)


def test_a_written_neighbour_is_told_where_it_leads_elsewhere() -> None:
    """Not where it says what was found by asking, nor where a tunnel had no entry at all."""
    old = node()
    found, written = old.neighbours
    fixed = found.model_copy(update={"permanent": True})
    elsewhere = fixed.model_copy(update={"mac": "02:00:00:00:00:77"})
    joined = written.model_copy(update={"address": "10.9.1.0"})

    assert [] == names(node(neighbours=(fixed, written)))
    assert [] == names(node(neighbours=(found, written, joined)))
    assert ["neighbour 10.0.0.1"] == names(node(neighbours=(elsewhere, written)))
    assert ["neighbour 10.9.0.0"] == names(node(neighbours=(found,)))


def test_another_hardware_address_is_told_of_a_link_with_addresses() -> None:
    """Neighbours know the former one. Nobody sends to a bridge's port, and a bridge takes another with its ports."""
    old = node().links
    named = tuple(
        one.model_copy(
            update={"mac": "02:00:00:00:01:00", "addresses": (Address(address="10.0.0.5", length=24),)}
        )
        for one in old
    )
    moved = tuple(one.model_copy(update={"mac": "02:00:00:00:02:00"}) for one in named)
    bare = [tuple(one.model_copy(update={"addresses": ()}) for one in some) for some in (named, moved)]

    assert ["link eth0 mac", "link p0 mac", "link vx0 mac"] == names(node(links=moved), node(links=named))
    assert [] == names(node(links=bare[1]), node(links=bare[0]))


def test_entries_that_were_found_by_asking_come_and_go() -> None:
    """Two snapshots of one node never have the same ones."""
    assert [] == names(node(neighbours=node().neighbours[1:]))


def test_a_tunnel_end_is_told_where_it_moves_or_goes_while_it_is_used() -> None:
    """An entry for an address that no neighbour has any more is not missed."""
    (entry,) = node().fdb
    moved = entry.model_copy(update={"destination": "10.0.0.10"})

    assert ["fdb 02:00:00:00:00:09"] == names(node(fdb=(moved,)))
    assert ["fdb 02:00:00:00:00:09"] == names(node(fdb=()))
    assert ["neighbour 10.9.0.0"] == names(node(fdb=(), neighbours=node().neighbours[:1]))


def test_the_comparison_of_packets_is_no_proof_then() -> None:
    """Also where nothing but an entry differs."""
    before, after = node(), node(fdb=())
    outlook = Outlook(node="n", before=dict.fromkeys(Horizon, before), after=dict.fromkeys(Horizon, after))
    found = PacketChanges(outlook, derive_topology(before, None)).at(Horizon.NOW)
    assert ["frames to 02:00:00:00:00:09 on vx0 had their tunnel end at 10.0.0.9, and have none now"] == list(
        dict.fromkeys(found.unknown)
    )

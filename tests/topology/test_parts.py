"""Whose packets they are: every header of the demo's node belongs to one part of its traffic."""

from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from planner.dataplane.packets.layout import STATES, Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.partition import Partition
from planner.models.snapshot import Snapshot
from planner.models.traffic import PacketBox, TrafficClass, TrafficPart
from planner.parse.snapshot import load_snapshot
from planner.topology.derive import derive_topology
from planner.topology.parts import near_of, parts_of

DEMO = Path(__file__).parents[2] / "docs" / "demo" / "node.json.gz"
POD, OTHER_POD, SERVICE, DNS = "10.244.1.3", "10.244.2.7", "10.96.0.1", "10.96.0.10"
NODE, API, WORLD = "10.0.0.11", "10.0.0.10", "198.51.100.7"


@cache
def demo() -> Snapshot:
    return load_snapshot(DEMO.read_bytes(), name=str(DEMO))


@cache
def partition() -> Partition:
    node, cluster = demo().nodes[0], demo().cluster
    topology = derive_topology(node, cluster)
    names = ["", *sorted(link.name for link in node.links)]
    return Partition(Space(), names, parts_of(node, topology, cluster), near_of(node, topology))


def packet(
    link: str,
    source: str,
    destination: str,
    port: int,
    protocol: int = 6,
    state: str = "NEW",
    *,
    came: int = 40000,
) -> PacketSet:
    """One header; what is not named is free."""
    held = partition()
    values = {
        Part.IN_LINK: held.names.index(link),
        Part.SOURCE: int(IPv4Address(source)),
        Part.DESTINATION: int(IPv4Address(destination)),
        Part.SOURCE_PORT: came,
        Part.DESTINATION_PORT: port,
        Part.PROTOCOL: protocol,
        Part.STATE: STATES.index(state),
        Part.OUT_PORT: 0,
    }
    found = held.space.all
    for part, value in values.items():
        found = found & held.space.equals(part, value)
    return found


def parts(one: PacketSet) -> list[tuple[str, TrafficClass | None]]:
    return [(cell.part.name, cell.part.traffic) for cell, _ in partition().split(one)]


@pytest.mark.parametrize(
    ("name", "traffic", "one"),
    [
        ("dns", TrafficClass.DNS, ("cni0", POD, DNS, 53, 17)),
        ("services", TrafficClass.POD_TO_SERVICE, ("cni0", POD, SERVICE, 443)),
        ("pods-to-others", TrafficClass.POD_TO_POD_CROSS_NODE, ("cni0", POD, OTHER_POD, 8080)),
        ("pods-out", TrafficClass.POD_TO_EXTERNAL, ("cni0", POD, WORLD, 443)),
        ("probe-answers", TrafficClass.KUBELET_PROBES, ("cni0", POD, "10.244.1.1", 40000, 6, "ESTABLISHED")),
        ("pods-from-others", TrafficClass.POD_TO_POD_CROSS_NODE, ("flannel.1", OTHER_POD, POD, 8080)),
        ("answers-to-pods", TrafficClass.POD_TO_EXTERNAL, ("eth0", WORLD, POD, 40000, 6, "ESTABLISHED")),
        ("outside-to-pods", None, ("eth0", WORLD, POD, 80)),
        ("nodeports", TrafficClass.EXTERNAL_TO_NODEPORT_LB, ("eth0", WORLD, NODE, 30080)),
        ("hostports", TrafficClass.HOSTPORT, ("eth0", WORLD, NODE, 443)),
        ("ssh", TrafficClass.NODE_MANAGEMENT, ("eth0", WORLD, NODE, 22)),
        ("kubelet-calls", TrafficClass.NODE_TO_APISERVER, ("eth0", API, NODE, 10250)),
        ("overlay-in", TrafficClass.POD_TO_POD_CROSS_NODE, ("eth0", API, NODE, 8472, 17)),
        ("node-answers", TrafficClass.HOST_EGRESS, ("eth0", WORLD, NODE, 40000, 6, "ESTABLISHED")),
        ("node", None, ("eth0", WORLD, NODE, 9)),
        ("passing", None, ("eth0", WORLD, "203.0.113.9", 80)),
        ("node-dns", TrafficClass.DNS, ("", NODE, WORLD, 53, 17)),
        ("probes", TrafficClass.KUBELET_PROBES, ("", "10.244.1.1", POD, 8080)),
        ("api-calls", TrafficClass.NODE_TO_APISERVER, ("", NODE, API, 6443)),
        ("node-services", TrafficClass.HOST_EGRESS, ("", NODE, SERVICE, 443)),
        ("node-to-pods", TrafficClass.HOST_EGRESS, ("", NODE, OTHER_POD, 80)),
        ("node-out", TrafficClass.HOST_EGRESS, ("", NODE, WORLD, 443)),
        ("self", None, ("", NODE, "127.0.0.1", 80)),
        ("odd", None, ("eth0", POD, NODE, 22)),
        ("odd", None, ("cni0", POD, WORLD, 443, 6, "INVALID")),
        ("odd", None, ("flannel.1", WORLD, POD, 80)),
        ("odd", None, ("", "127.0.0.1", WORLD, 443)),
        ("other", None, ("cni0", WORLD, WORLD, 80)),
        ("vacant", None, ("cni0", POD, "10.244.77.1", 80)),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_a_packet_belongs_to_the_part_that_people_would_name(
    name: str, traffic: TrafficClass | None, one: tuple[str, str, str, int]
) -> None:
    """By the link that it comes by, its addresses and ports, and what conntrack says."""
    assert [(name, traffic)] == parts(packet(*one))


def test_no_packet_is_in_two_parts() -> None:
    """They are in an order, and each takes what earlier ones left."""
    held = partition()
    taken = held.space.none
    for cell in held.cells:
        assert not (taken & cell.packets).satisfiable(), cell.part.name
        taken = taken | cell.packets


def test_strangers_are_told_from_neighbours() -> None:
    """By private ranges, the cluster's ranges and the node's own networks; what the node sends is its own."""
    near = partition().near

    assert (packet("eth0", "192.168.1.1", NODE, 22) & near).satisfiable()
    assert not (packet("eth0", WORLD, NODE, 22) & near).satisfiable()
    assert (packet("", NODE, WORLD, 22) & near).satisfiable()


def part(name: str, *boxes: PacketBox, **more: object) -> TrafficPart:
    return TrafficPart(name=name, words=name, boxes=boxes, **more)


@pytest.mark.parametrize(
    ("lost", "certain", "everything"),
    [
        ("10.1.0.0/16", 1.0, True),
        ("10.1.128.0/17", 0.5, False),
        ("10.1.0.0/17 without one", 0.5, False),
        ("all without one", 1.0, False),
    ],
)
def test_a_share_is_of_usual_packets(lost: str, certain: float, *, everything: bool) -> None:
    """How much of a part is lost counts its usual packets, and one that is left is seen."""
    space = Space()
    held = Partition(space, [""], [part("p", PacketBox(source=("10.1.0.0/16",)))])
    address = int(IPv4Address("10.1.0.0"))
    length = {"10.1.128.0/17": 17, "10.1.0.0/17 without one": 17}.get(lost, 16)
    start = address | (1 << 15) if lost.startswith("10.1.128") else address
    gone = space.prefix(Part.SOURCE, start, length)
    if lost.endswith("without one"):
        gone = gone & ~space.equals(Part.SOURCE, address | 7)

    (found,) = held.losses(gone, lambda where: where)

    assert (certain, everything) == (round(found.certain, 3), found.everything)


def test_a_draw_makes_a_loss_uncertain() -> None:
    """What is lost for some draws only is possible, not certain."""
    space = Space()
    held = Partition(space, [""], [part("p", PacketBox(source=("10.1.0.0/16",)))])
    drawn = space.oracle("draw", text="a draw", chance=0.5)

    (found,) = held.losses(
        space.prefix(Part.SOURCE, int(IPv4Address("10.1.0.0")), 16) & drawn, lambda where: where
    )

    assert (0.0, 1.0) == (found.certain, found.possible)

"""Packets of the node's own programs, by whom they are for."""

from collections.abc import Iterator

from planner.models.traffic import PacketBox, TrafficClass, TrafficPart
from planner.topology.parts.pieces import (
    ANSWERS,
    API_PORTS,
    DNS,
    KNOWN,
    KUBELET,
    listeners,
    tunnels_of,
    with_,
)
from planner.topology.world import TCP, UDP, World, pairs

LOOPBACK = ("127.0.0.1/32", "::1/128")


def to_itself(world: World) -> Iterator[TrafficPart]:
    """Whatever source they have: it is its own."""
    here = (*world.own, "127.0.0.0/8", "::1/128")
    if world.listeners:
        yield listeners(
            world, (PacketBox(links=("",), states=KNOWN),), "own-listeners", "the node's connections to its own programs"
        )  # fmt: skip
    yield TrafficPart(
        name="self", words="the node's packets to itself",
        boxes=(PacketBox(links=("",), destination=here, states=KNOWN),),
        used=(PacketBox(links=("",), source=LOOPBACK, destination=LOOPBACK, states=("NEW", "ESTABLISHED")),),
    )  # fmt: skip


def own(world: World) -> Iterator[TrafficPart]:
    """Packets of the node's own programs."""
    mine = ("",)
    example = PacketBox(source=world.entered[:1])
    if world.services:
        yield TrafficPart(
            name="node-services", words="the node's connections to Services", traffic=TrafficClass.HOST_EGRESS, served=True,
            boxes=(PacketBox(links=mine, destination=world.services),), used=with_(world.served, links=mine),
            example=example,
        )  # fmt: skip
    if world.other_pods:
        yield TrafficPart(
            name="node-to-pods", words="the node's connections to pods on other nodes", traffic=TrafficClass.HOST_EGRESS,
            example=example, boxes=(PacketBox(links=mine, destination=world.other_pods),),
            used=(PacketBox(links=mine, destination=world.other_pods, protocols=(TCP,), source_ports=world.ephemeral),),
        )  # fmt: skip
    if world.api:
        yield TrafficPart(
            name="api-calls", words="the node's connections to the API server", traffic=TrafficClass.NODE_TO_APISERVER,
            example=example,
            boxes=(PacketBox(links=mine, destination=world.api, protocols=(TCP,), destination_ports=API_PORTS),),
            used=(PacketBox(links=mine, destination=world.api, protocols=(TCP,), destination_ports=((6443, 6443),)),),
        )  # fmt: skip
    yield TrafficPart(
        name="ssh-answers", words="the node's answers to ssh sessions", traffic=TrafficClass.NODE_MANAGEMENT,
        narrow=True, example=example, boxes=(PacketBox(links=mine, protocols=(TCP,), source_ports=world.ssh, states=ANSWERS),),
    )  # fmt: skip
    yield TrafficPart(
        name="kubelet-answers", words="the kubelet's answers (tcp 10250: logs, exec, metrics)",
        traffic=TrafficClass.NODE_TO_APISERVER,
        narrow=True, example=example, boxes=(PacketBox(links=mine, protocols=(TCP,), source_ports=pairs([KUBELET]), states=ANSWERS),),
        used=(
            PacketBox(
                links=mine, destination=world.api, protocols=(TCP,), source_ports=pairs([KUBELET]), states=ANSWERS
            ),
        ),
    )  # fmt: skip
    if world.serves_api:
        yield TrafficPart(
            name="apiserver-answers", words="answers of the API server that runs here",
            traffic=TrafficClass.NODE_TO_APISERVER,
            narrow=True, example=example, boxes=(PacketBox(links=mine, protocols=(TCP,), source_ports=((6443, 6443),), states=ANSWERS),),
        )  # fmt: skip
    yield TrafficPart(
        name="node-dns", words="the node's own DNS questions", traffic=TrafficClass.DNS, example=example,
        boxes=(PacketBox(links=mine, protocols=(TCP, UDP), destination_ports=pairs([DNS])),),
        used=(PacketBox(links=mine, protocols=(UDP,), destination_ports=pairs([DNS])),),
    )  # fmt: skip
    if world.homes:
        yield TrafficPart(
            name="probes", words="the node's connections to its pods, health probes among them",
            traffic=TrafficClass.KUBELET_PROBES, example=example,
            boxes=(PacketBox(links=mine, destination=world.homes),),
            used=(PacketBox(links=mine, destination=world.real_pods, protocols=(TCP,)),),
        )  # fmt: skip
    tunnels = tunnels_of(world)
    if tunnels:
        yield TrafficPart(
            name="overlay-out", words="the overlay's packets to other nodes",
            traffic=TrafficClass.POD_TO_POD_CROSS_NODE, example=example, boxes=with_(tunnels, links=mine),
        )  # fmt: skip
    yield TrafficPart(
        name="node-out", words="the node's connections to others", traffic=TrafficClass.HOST_EGRESS, example=example,
        boxes=(PacketBox(links=mine),), used=(PacketBox(links=mine, protocols=(TCP,), source_ports=world.ephemeral),),
    )  # fmt: skip

"""Packets that this node's pods send, by whom they are for."""

from collections.abc import Iterator

from planner.models.topology import PodAttachment
from planner.models.traffic import PacketBox, TrafficClass, TrafficPart
from planner.topology.parts.pieces import ANSWERS, DNS, entries, listeners, with_
from planner.topology.world import TCP, UDP, World, pairs


def frames(world: World) -> Iterator[TrafficPart]:
    """Bridged pods talk across their bridge."""
    if world.topology.attachment is PodAttachment.BRIDGE and world.senders:
        yield _same_node(world, world.senders, world.real_senders, across=True)


def _same_node(
    world: World, mine: tuple[PacketBox, ...], real: tuple[PacketBox, ...], *, across: bool | None
) -> TrafficPart:
    return TrafficPart(
        name="pods-same-node", words="packets between pods of the node", traffic=TrafficClass.POD_TO_POD_SAME_NODE,
        boxes=tuple(box.model_copy(update={"destination": world.homes, "across": across}) for box in mine),
        without=(PacketBox(destination=world.own),),
        used=tuple(
            box.model_copy(update={"destination": world.real_pods, "protocols": (TCP,), "across": across}) for box in real
        ),
        example=PacketBox(source=world.real_pods[:1], destination=world.real_pods[-1:]),
    )  # fmt: skip


def from_pods(world: World) -> Iterator[TrafficPart]:
    """Packets that this node's pods send."""
    mine, real = world.senders, world.real_senders
    if not mine:
        return

    def boxes(like: tuple[PacketBox, ...], **more: object) -> tuple[PacketBox, ...]:
        return tuple(box.model_copy(update=more) for box in like)

    asked: dict[str, object] = {"protocols": (UDP, TCP), "destination_ports": pairs([DNS])}
    yield TrafficPart(
        name="dns", words="pods' DNS questions", traffic=TrafficClass.DNS, served=True,
        example=PacketBox(destination=world.dns[:1], protocols=(UDP,)),
        boxes=(*boxes(mine, destination=world.dns or ("0.0.0.0/0", "::/0"), **asked), *boxes(mine, destination=world.own, **asked)),
        used=boxes(real, destination=world.dns, **asked) if world.dns else (),
    )  # fmt: skip
    if world.services:
        yield TrafficPart(
            name="services", words="pods' packets to Services", traffic=TrafficClass.POD_TO_SERVICE, served=True,
            boxes=boxes(mine, destination=world.services),
            used=tuple(box for one in real for box in with_(world.served, links=one.links, source=one.source)),
        )  # fmt: skip
    yield from entries(world, mine, "pods' ")
    yield TrafficPart(
        name="probe-answers", words="pods' answers to health probes", traffic=TrafficClass.KUBELET_PROBES,
        boxes=boxes(mine, destination=world.own, states=ANSWERS, destination_ports=world.ephemeral),
        used=boxes(real, destination=world.own, states=("ESTABLISHED",), protocols=(TCP,)),
    )  # fmt: skip
    if world.listeners:
        yield listeners(
            world, mine, "listeners-for-pods", "pods' connections to programs that listen on the node"
        )
    yield TrafficPart(
        name="pods-to-node",
        words="pods' connections to the node",
        example=PacketBox(destination=world.entered[:1]),
        boxes=boxes(mine, destination=world.own),
    )
    if world.topology.attachment is not PodAttachment.BRIDGE:
        yield _same_node(world, mine, real, across=None)
    if world.other_pods:
        yield TrafficPart(
            name="pods-to-others", words="packets of its pods to pods on other nodes",
            traffic=TrafficClass.POD_TO_POD_CROSS_NODE,
            boxes=boxes(mine, destination=world.other_pods),
            used=boxes(real, destination=world.other_pods, protocols=(TCP,)),
        )  # fmt: skip
    yield TrafficPart(
        name="pods-out", words="packets of pods to the outside", traffic=TrafficClass.POD_TO_EXTERNAL,
        boxes=mine, used=boxes(real, protocols=(TCP,)),
    )  # fmt: skip

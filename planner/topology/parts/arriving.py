"""Packets from elsewhere: to the node, to its pods, and through it."""

from collections.abc import Iterator

from planner.models.topology import Overlay
from planner.models.traffic import PacketBox, TrafficClass, TrafficPart
from planner.topology.parts.pieces import (
    ANSWERS,
    API_PORTS,
    BGP,
    KUBELET,
    entries,
    listeners,
    tunnels_of,
    with_,
)
from planner.topology.world import TCP, World, pairs


def _peered(world: World) -> bool:
    return world.topology.overlay in {Overlay.CALICO_BGP, Overlay.CALICO_IPIP, Overlay.KUBE_ROUTER}


def arriving(world: World) -> Iterator[TrafficPart]:
    """Packets from elsewhere."""
    links = world.outer
    if not links:
        return
    example = PacketBox(destination=world.entered[:1])
    here = PacketBox(links=world.beside or links, destination=world.own)

    def boxes(like: PacketBox, **more: object) -> tuple[PacketBox, ...]:
        return (like.model_copy(update=more),)

    tunnels = tunnels_of(world)
    if tunnels:
        yield TrafficPart(
            name="overlay-in", words="the overlay's packets from other nodes", narrow=True,
            traffic=TrafficClass.POD_TO_POD_CROSS_NODE,
            boxes=with_(tunnels, links=here.links, source=world.peers, destination=world.own),
        )  # fmt: skip
    if _peered(world):
        yield TrafficPart(
            name="bgp", words="the BGP sessions that bring its routes", narrow=True, traffic=TrafficClass.POD_TO_POD_CROSS_NODE,
            boxes=(*boxes(here, protocols=(TCP,), destination_ports=pairs([BGP])),
                   *boxes(here, protocols=(TCP,), source_ports=pairs([BGP]))),
        )  # fmt: skip
    yield from entries(world, (here,))
    yield TrafficPart(
        name="ssh", words="ssh connections", traffic=TrafficClass.NODE_MANAGEMENT, narrow=True, example=example,
        boxes=boxes(here, protocols=(TCP,), destination_ports=world.ssh),
    )  # fmt: skip
    yield TrafficPart(
        name="kubelet-calls", words="the API server's connections to the kubelet (tcp 10250: logs, exec, metrics)",
        traffic=TrafficClass.NODE_TO_APISERVER,
        narrow=True, example=example, boxes=boxes(here, protocols=(TCP,), destination_ports=pairs([KUBELET]), source=world.api),
    )  # fmt: skip
    if world.serves_api:
        yield TrafficPart(
            name="apiserver", words="connections to the API server that runs here",
            traffic=TrafficClass.NODE_TO_APISERVER,
            narrow=True, example=example, boxes=boxes(here, protocols=(TCP,), destination_ports=((6443, 6443),)),
        )  # fmt: skip
    if world.api:
        yield TrafficPart(
            name="api-answers", words="the API server's answers to the node", traffic=TrafficClass.NODE_TO_APISERVER,
            boxes=boxes(here, protocols=(TCP,), source_ports=API_PORTS, source=world.api, states=ANSWERS,
                        destination_ports=world.ephemeral),
        )  # fmt: skip
    yield TrafficPart(
        name="node-answers", words="answers to the node's own connections", traffic=TrafficClass.HOST_EGRESS, example=example,
        boxes=boxes(here, states=ANSWERS, destination_ports=world.ephemeral),
        used=boxes(here, states=("ESTABLISHED",), protocols=(TCP,)),
    )  # fmt: skip
    if world.listeners:
        yield listeners(
            world,
            (here, PacketBox(links=links)),
            "listeners",
            "connections to programs that listen on the node",
            example,
        )
    yield TrafficPart(
        name="node",
        words="packets to ports of the node that nothing is known to listen on",
        example=example,
        boxes=(here, PacketBox(links=links, destination=world.own)),
    )
    if world.balanced:
        yield TrafficPart(
            name="loadbalancers", words="connections to load balancers' and external addresses", served=True,
            traffic=TrafficClass.EXTERNAL_TO_NODEPORT_LB, boxes=with_(world.balanced, links=links),
        )  # fmt: skip
    if world.services:
        yield TrafficPart(
            name="services-from-outside", words="packets from outside to addresses of Services", served=True,
            boxes=(PacketBox(links=links, destination=world.services),), used=with_(world.served, links=links),
        )  # fmt: skip
    if world.homes:
        to_pods = PacketBox(links=links, destination=world.homes)
        real = PacketBox(links=links, destination=world.real_pods, protocols=(TCP,))
        if world.other_pods:
            yield TrafficPart(
                name="pods-from-others", words="packets of pods on other nodes to its pods",
                traffic=TrafficClass.POD_TO_POD_CROSS_NODE,
                boxes=boxes(to_pods, source=world.other_pods), used=boxes(real, source=world.other_pods),
            )  # fmt: skip
        yield TrafficPart(
            name="answers-to-pods", words="answers from the outside to pods", traffic=TrafficClass.POD_TO_EXTERNAL,
            boxes=boxes(to_pods, states=ANSWERS), used=boxes(real, states=("ESTABLISHED",)),
        )  # fmt: skip
        yield TrafficPart(
            name="outside-to-pods", words="connections from outside straight to pods", boxes=(to_pods,)
        )
    if any(world.behind.values()):
        nets = tuple(prefix for held in world.behind.values() for prefix in held)
        names = ", ".join(sorted(world.behind))
        yield TrafficPart(
            name="behind", words=f"packets of containers or machines on {names}",
            boxes=(PacketBox(destination=nets), *(PacketBox(links=(link,), source=held) for link, held in sorted(world.behind.items())
                if held)),
        )  # fmt: skip
    # With one way out nobody has a reason to come through.
    routes = len(set(world.beside) - world.behind.keys() - set(world.silent)) > 1
    yield TrafficPart(
        name="transit" if routes else "passing", words="packets that only pass through the node",
        boxes=(PacketBox(links=links),),
    )  # fmt: skip

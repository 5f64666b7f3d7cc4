"""What several parts of a node's traffic are made of."""

from collections.abc import Iterable, Iterator

from planner.models.traffic import PacketBox, TrafficClass, TrafficPart
from planner.topology.world import UDP, World, pairs

IPIP = 4
KUBELET, DNS, BGP = 10250, 53, 179
API_PORTS = ((443, 443), (6443, 6443), (8443, 8443), (16443, 16443))
"""Of kubeadm, of most others and of managed ones, of minikube and k0s, of MicroK8s."""
ANSWERS = ("ESTABLISHED", "RELATED")
KNOWN = ("NEW", *ANSWERS)


def tunnels_of(world: World) -> tuple[PacketBox, ...]:
    """Outer packets of the overlay."""
    boxes = []
    for link in world.state.links:
        port = link.options.get("port", link.options.get("dstport", ""))
        if link.name in world.topology.overlay_links:
            if link.kind in {"vxlan", "geneve"} and port.isdigit():
                boxes.append(PacketBox(protocols=(UDP,), destination_ports=pairs([int(port)])))
            if link.kind == "ipip":
                boxes.append(PacketBox(protocols=(IPIP,)))
            if link.kind == "wireguard" and (listen := link.options.get("listen-port", "51820")).isdigit():
                boxes.append(PacketBox(protocols=(UDP,), destination_ports=pairs([int(listen)])))
    return tuple(boxes)


def with_(boxes: Iterable[PacketBox], **more: tuple[str, ...]) -> tuple[PacketBox, ...]:
    """The boxes, each with these fields."""
    return tuple(box.model_copy(update=dict(more)) for box in boxes)


def entries(world: World, like: tuple[PacketBox, ...], who: str = "") -> Iterator[TrafficPart]:
    """NodePorts and host ports, asked for at the node's own addresses."""
    for name, words, ports, traffic in (
        ("nodeports", "connections to NodePorts", world.node_ports, TrafficClass.EXTERNAL_TO_NODEPORT_LB),
        ("hostports", "connections to host ports", world.host_ports, TrafficClass.HOSTPORT),
    ):
        if ports:
            yield TrafficPart(
                name=f"{name}-for-pods" if who else name, words=f"{who}{words}", traffic=traffic, served=True,
                boxes=_asked(ports, like, world.own), used=_asked(ports, like, world.entered),
            )  # fmt: skip


def _asked(
    ports: tuple[PacketBox, ...], like: tuple[PacketBox, ...], where: tuple[str, ...]
) -> tuple[PacketBox, ...]:
    return tuple(
        box for one in like for box in with_(ports, links=one.links, source=one.source, destination=where)
    )


def listeners(
    world: World, like: tuple[PacketBox, ...], name: str, words: str, example: PacketBox | None = None
) -> TrafficPart:
    """Programs of the node that are asked by some senders."""
    return TrafficPart(
        name=name, words=words, narrow=True, example=example,
        boxes=tuple(
            one.model_copy(
                update={"destination": world.own, "protocols": (protocol,), "destination_ports": pairs([port])}
            )
            for one in like
            for protocol, port in world.listeners
        ),
    )  # fmt: skip

"""What a node's packets are, as they enter it: the traffic classes as ordered parts, and what of them really occurs."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.topology import Overlay, PodAttachment, Topology
from planner.models.traffic import PacketBox, TrafficClass, TrafficPart
from planner.topology.prefixes import Network, merged, network, networks
from planner.topology.world import TCP, UDP, World, pairs

IPIP = 4
KUBELET, DNS, BGP = 10250, 53, 179
API_PORTS = ((443, 443), (6443, 6443), (8443, 8443), (16443, 16443))
"""Of kubeadm, of most others and of managed ones, of minikube and k0s, of MicroK8s."""
PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "0.0.0.0/8",
    "fc00::/7", "fe80::/10", "::1/128",
)  # fmt: skip
"""Nobody on the Internet has one of them (RFC 1918, 6598, 3927, 4193, 4291)."""
ANSWERS = ("ESTABLISHED", "RELATED")
KNOWN = ("NEW", *ANSWERS)


def parts_of(state: NodeState, topology: Topology, cluster: Cluster | None) -> tuple[TrafficPart, ...]:
    """In order: a packet belongs to the first part that holds it."""
    world = World(state, topology, cluster)
    odd = TrafficPart(
        name="odd",
        words="packets that conntrack calls invalid, or whose addresses nobody sends from there",
        boxes=(PacketBox(states=("INVALID", "UNTRACKED")), *_implausible(world)),
    )
    return (odd, *_own(world), *_from_pods(world), *_arriving(world))


def near_of(state: NodeState, topology: Topology) -> tuple[PacketBox, ...]:
    """Whose new connections do not come from outside: private addresses, the cluster's, and the node's own networks."""
    inner = tuple(link.name for link in state.links if link.name not in topology.uplinks)
    boxes = (PacketBox(source=_near(World(state, topology, None))),)
    return (*boxes, PacketBox(links=inner)) if inner and topology.uplinks else boxes


def _near(world: World) -> tuple[str, ...]:
    held = [a.prefix for link in world.state.links for a in link.addresses]
    told = world.topology
    mine = (*told.pod_ranges, *told.node_pod_ranges, *told.service_ranges, *held)
    return (*PRIVATE, *merged(networks(mine)))


def _implausible(world: World) -> Iterator[PacketBox]:
    """No hosts' addresses, the node's own from elsewhere, and neighbours' that come by another link than theirs."""
    links = tuple(link.name for link in world.state.links if link.name != "lo")
    yield PacketBox(destination=("224.0.0.0/3", "ff00::/8"))
    connected: dict[str, set[str]] = {}
    ends: list[str] = []
    for link in world.state.links:
        for held in link.addresses:
            net = network(held.prefix)
            if net is None or link.name == "lo" or net.prefixlen >= net.max_prefixlen - 1:
                continue
            connected.setdefault(str(net), set()).add(link.name)
            if net.version == 4:
                ends += [f"{net.network_address}/32", f"{net.broadcast_address}/32"]
    yield PacketBox(source=("0.0.0.0/8", "224.0.0.0/3", "ff00::/8", *ends))
    yield PacketBox(destination=("0.0.0.0/8", *ends))
    if links:
        yield PacketBox(links=links, source=("127.0.0.0/8", "::1/128", *world.own))
        yield PacketBox(links=links, destination=("127.0.0.0/8", "::1/128"))
    for prefix, there in sorted(connected.items()):
        others = tuple(name for name in links if name not in there)
        if others:
            yield PacketBox(links=others, source=(prefix,))
    tunnels = tuple(name for name in links if name in world.topology.overlay_links)
    if tunnels and world.other_pods:
        # What comes out of a tunnel is of pods and of the nodes' ends of it.
        yield from (PacketBox(links=tunnels, source=(prefix,)) for prefix in _beyond(world.other_pods))
        outer = tuple(name for name in world.outer if name not in tunnels)
        yield from (PacketBox(links=outer, source=(prefix,)) for prefix in world.other_pods if outer)


def _beyond(prefixes: tuple[str, ...]) -> Iterator[str]:
    """Everything outside IPv4 prefixes."""
    rest: list[Network] = [ip_network("0.0.0.0/0")]
    for prefix in prefixes:
        inner = network(prefix)
        if inner is None or inner.version != 4:
            continue
        kept: list[Network] = []
        for net in rest:
            if inner.subnet_of(net):  # type: ignore[arg-type]  # one version
                kept += list(net.address_exclude(inner))  # type: ignore[arg-type]
            elif not net.subnet_of(inner):  # type: ignore[arg-type]
                kept.append(net)
        rest = kept
    yield from sorted(str(net) for net in rest)


def _tunnels(world: World) -> tuple[PacketBox, ...]:
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


def _peered(world: World) -> bool:
    return world.topology.overlay in {Overlay.CALICO_BGP, Overlay.CALICO_IPIP, Overlay.KUBE_ROUTER}


def _with(boxes: Iterable[PacketBox], **more: tuple[str, ...]) -> tuple[PacketBox, ...]:
    return tuple(box.model_copy(update=dict(more)) for box in boxes)


def _own(world: World) -> Iterator[TrafficPart]:
    """Packets of the node's own programs."""
    mine = ("",)
    yield TrafficPart(
        name="self", words="the node's packets to itself",
        boxes=(PacketBox(links=mine, destination=(*world.own, "127.0.0.0/8", "::1/128")),),
    )  # fmt: skip
    if world.api:
        yield TrafficPart(
            name="api-calls", words="the node's connections to the API server", traffic=TrafficClass.NODE_TO_APISERVER,
            boxes=(PacketBox(links=mine, destination=world.api, protocols=(TCP,), destination_ports=API_PORTS),),
            used=(PacketBox(links=mine, destination=world.api, protocols=(TCP,), destination_ports=((6443, 6443),)),),
        )  # fmt: skip
    yield TrafficPart(
        name="ssh-answers", words="the node's answers to ssh sessions", traffic=TrafficClass.NODE_MANAGEMENT,
        narrow=True, boxes=(PacketBox(links=mine, protocols=(TCP,), source_ports=world.ssh, states=ANSWERS),),
    )  # fmt: skip
    yield TrafficPart(
        name="kubelet-answers", words="the kubelet's answers (tcp 10250: logs, exec, metrics)",
        traffic=TrafficClass.NODE_TO_APISERVER,
        narrow=True, boxes=(PacketBox(links=mine, protocols=(TCP,), source_ports=pairs([KUBELET]), states=ANSWERS),),
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
            narrow=True, boxes=(PacketBox(links=mine, protocols=(TCP,), source_ports=((6443, 6443),), states=ANSWERS),),
        )  # fmt: skip
    yield TrafficPart(
        name="node-dns", words="the node's own DNS questions", traffic=TrafficClass.DNS,
        boxes=(PacketBox(links=mine, protocols=(TCP, UDP), destination_ports=pairs([DNS])),),
        used=(PacketBox(links=mine, protocols=(UDP,), destination_ports=pairs([DNS])),),
    )  # fmt: skip
    if world.pods:
        yield TrafficPart(
            name="probes", words="the node's connections to its pods, health probes among them",
            traffic=TrafficClass.KUBELET_PROBES,
            boxes=(PacketBox(links=mine, destination=world.pods),),
            used=(PacketBox(links=mine, destination=world.real_pods, protocols=(TCP,)),),
        )  # fmt: skip
    tunnels = _tunnels(world)
    if tunnels:
        yield TrafficPart(
            name="overlay-out", words="the overlay's packets to other nodes",
            traffic=TrafficClass.POD_TO_POD_CROSS_NODE, boxes=_with(tunnels, links=mine),
        )  # fmt: skip
    yield TrafficPart(
        name="node-out", words="the node's connections to others", traffic=TrafficClass.HOST_EGRESS,
        boxes=(PacketBox(links=mine),), used=(PacketBox(links=mine, protocols=(TCP,)),),
    )  # fmt: skip


def _from_pods(world: World) -> Iterator[TrafficPart]:
    """Packets that this node's pods send."""
    if not world.pods or not world.inner:
        return
    mine = PacketBox(links=world.inner, source=world.pods)
    real = PacketBox(links=world.inner, source=world.real_pods)

    def boxes(like: PacketBox, **more: object) -> tuple[PacketBox, ...]:
        return (like.model_copy(update=more),)

    asked: dict[str, object] = {"protocols": (UDP, TCP), "destination_ports": pairs([DNS])}
    yield TrafficPart(
        name="dns", words="pods' DNS questions", traffic=TrafficClass.DNS, served=True,
        boxes=(*boxes(mine, destination=world.dns or ("0.0.0.0/0", "::/0"), **asked), *boxes(mine, destination=world.own, **asked)),
        used=boxes(real, destination=world.dns, **asked) if world.dns else (),
    )  # fmt: skip
    if world.services:
        yield TrafficPart(
            name="services", words="pods' packets to Services", traffic=TrafficClass.POD_TO_SERVICE, served=True,
            boxes=boxes(mine, destination=world.services),
            used=_with(world.served, links=world.inner, source=world.real_pods),
        )  # fmt: skip
    yield from _entries(world, mine, "pods' ")
    yield TrafficPart(
        name="probe-answers", words="pods' answers to health probes", traffic=TrafficClass.KUBELET_PROBES,
        boxes=boxes(mine, destination=world.own, states=ANSWERS),
        used=boxes(real, destination=world.own, states=("ESTABLISHED",), protocols=(TCP,)),
    )  # fmt: skip
    yield TrafficPart(
        name="pods-to-node", words="pods' connections to the node", boxes=boxes(mine, destination=world.own)
    )
    # What crosses a bridge is not routed; only what comes back from the routing is seen here.
    bridged = world.topology.attachment is PodAttachment.BRIDGE
    yield TrafficPart(
        name="pods-on-bridge" if bridged else "pods-same-node", words="packets between pods of the node",
        traffic=None if bridged else TrafficClass.POD_TO_POD_SAME_NODE,
        boxes=boxes(mine, destination=world.pods),
        used=boxes(real, destination=world.real_pods, protocols=(TCP,)),
    )  # fmt: skip
    if world.other_pods:
        yield TrafficPart(
            name="pods-to-others", words="packets of its pods to pods on other nodes",
            traffic=TrafficClass.POD_TO_POD_CROSS_NODE,
            boxes=boxes(mine, destination=world.other_pods),
            used=boxes(real, destination=world.other_pods, protocols=(TCP,)),
        )  # fmt: skip
    yield TrafficPart(
        name="pods-out", words="packets of pods to the outside", traffic=TrafficClass.POD_TO_EXTERNAL,
        boxes=(mine,), used=boxes(real, protocols=(TCP,)),
    )  # fmt: skip


def _entries(world: World, like: PacketBox, who: str = "") -> Iterator[TrafficPart]:
    """NodePorts and host ports, asked for at the node's own addresses."""
    for name, words, ports, traffic in (
        ("nodeports", "connections to NodePorts", world.node_ports, TrafficClass.EXTERNAL_TO_NODEPORT_LB),
        ("hostports", "connections to host ports", world.host_ports, TrafficClass.HOSTPORT),
    ):
        if ports:
            yield TrafficPart(
                name=f"{name}-for-pods" if who else name, words=f"{who}{words}", traffic=traffic, served=True,
                boxes=_with(ports, links=like.links, source=like.source, destination=world.own),
                used=_with(ports, links=like.links, source=like.source, destination=world.entered),
            )  # fmt: skip


def _arriving(world: World) -> Iterator[TrafficPart]:
    """Packets from elsewhere."""
    links = world.outer
    if not links:
        return
    here = PacketBox(links=world.beside or links, destination=world.own)

    def boxes(like: PacketBox, **more: object) -> tuple[PacketBox, ...]:
        return (like.model_copy(update=more),)

    tunnels = _tunnels(world)
    if tunnels:
        yield TrafficPart(
            name="overlay-in", words="the overlay's packets from other nodes",
            traffic=TrafficClass.POD_TO_POD_CROSS_NODE,
            boxes=_with(tunnels, links=here.links, source=world.peers, destination=world.own),
        )  # fmt: skip
    if _peered(world):
        yield TrafficPart(
            name="bgp", words="the BGP sessions that bring its routes", traffic=TrafficClass.POD_TO_POD_CROSS_NODE,
            boxes=(*boxes(here, protocols=(TCP,), destination_ports=pairs([BGP])),
                   *boxes(here, protocols=(TCP,), source_ports=pairs([BGP]))),
        )  # fmt: skip
    yield from _entries(world, here)
    yield TrafficPart(
        name="ssh", words="ssh connections", traffic=TrafficClass.NODE_MANAGEMENT, narrow=True,
        boxes=boxes(here, protocols=(TCP,), destination_ports=world.ssh),
    )  # fmt: skip
    yield TrafficPart(
        name="kubelet-calls", words="the API server's connections to the kubelet (tcp 10250: logs, exec, metrics)",
        traffic=TrafficClass.NODE_TO_APISERVER,
        narrow=True, boxes=boxes(here, protocols=(TCP,), destination_ports=pairs([KUBELET]), source=world.api),
    )  # fmt: skip
    if world.serves_api:
        yield TrafficPart(
            name="apiserver", words="connections to the API server that runs here",
            traffic=TrafficClass.NODE_TO_APISERVER,
            narrow=True, boxes=boxes(here, protocols=(TCP,), destination_ports=((6443, 6443),)),
        )  # fmt: skip
    if world.api:
        yield TrafficPart(
            name="api-answers", words="the API server's answers to the node", traffic=TrafficClass.NODE_TO_APISERVER,
            boxes=boxes(here, protocols=(TCP,), source_ports=API_PORTS, source=world.api, states=ANSWERS),
        )  # fmt: skip
    yield TrafficPart(
        name="node-answers", words="answers to the node's own connections", traffic=TrafficClass.HOST_EGRESS,
        boxes=boxes(here, states=ANSWERS), used=boxes(here, states=("ESTABLISHED",), protocols=(TCP,)),
    )  # fmt: skip
    if world.listeners:
        yield TrafficPart(
            name="listeners", words="connections to programs that listen on the node",
            boxes=tuple(
                box
                for protocol, port in world.listeners
                for box in boxes(here, protocols=(protocol,), destination_ports=((port, port),))
            ),
        )  # fmt: skip
    yield TrafficPart(
        name="node", words="packets to ports of the node that nothing is known to listen on", boxes=(here,)
    )
    if world.services:
        yield TrafficPart(
            name="services-from-outside", words="packets from outside to addresses of Services", served=True,
            traffic=TrafficClass.EXTERNAL_TO_NODEPORT_LB, boxes=(PacketBox(links=links, destination=world.services),),
            used=_with(world.served, links=links),
        )  # fmt: skip
    if world.pods:
        to_pods = PacketBox(links=links, destination=world.pods)
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
    yield TrafficPart(
        name="transit", words="packets that only pass through the node", boxes=(PacketBox(links=links),)
    )

"""Packets that nobody sends: what conntrack calls invalid, no hosts' addresses, and neighbours' from where they are not."""

from collections.abc import Iterator
from ipaddress import ip_network

from planner.models.traffic import PacketBox, TrafficPart
from planner.topology.prefixes import Network, network
from planner.topology.world import World


def odd(world: World) -> TrafficPart:
    """What stands before all other parts."""
    return TrafficPart(
        name="odd",
        words="packets that conntrack calls invalid, or whose addresses nobody sends from there",
        boxes=(PacketBox(states=("INVALID", "UNTRACKED")), *_implausible(world)),
    )


def nobody(world: World) -> tuple[TrafficPart, ...]:
    """What nobody asks for in that way: others than pods by a port of the bridge, and addresses of pods that are not."""
    found = []
    if world.topology.bridges:
        across = PacketBox(links=world.topology.bridges, across=True)
        found.append(TrafficPart(name="odd", words="frames for others by a pod's port", boxes=(across,)))
        # Their own bridge carries what pods send to each other.
        routed = PacketBox(
            links=world.topology.bridges, source=world.pods, destination=world.homes, across=False
        )
        found.append(
            TrafficPart(
                name="odd",
                words="packets for pods of the bridge by the node",
                boxes=(routed,) if world.pods else (),
                without=(PacketBox(destination=world.own),),
            )
        )
    if world.vacant:
        found.append(
            TrafficPart(
                name="vacant",
                words="packets to addresses of the pods' ranges that no pod has",
                boxes=(PacketBox(destination=world.vacant),),
                without=(PacketBox(destination=(*world.homes, *world.other_pods, *world.own)),),
            )
        )
        found.append(
            TrafficPart(
                name="vacant",
                words="packets from addresses of the pods' ranges that no pod has",
                boxes=(PacketBox(source=world.vacant),),
                without=(PacketBox(source=(*world.homes, *world.other_pods, *world.own)),),
            )
        )
    return tuple(found)


def _implausible(world: World) -> Iterator[PacketBox]:
    """No hosts' addresses, the node's own from elsewhere, and neighbours' that come by another link than theirs."""
    links = tuple(link.name for link in world.state.links if link.name != "lo")
    yield PacketBox(destination=("224.0.0.0/3", "ff00::/8", "fe80::/10"))
    yield PacketBox(source=("fe80::/10",))
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
    # Sockets without an address of their own take one that leads out.
    yield PacketBox(links=("",), source=("127.0.0.0/8", "::1/128"))
    tunnels = tuple(name for name in links if name in world.topology.overlay_links)
    if tunnels:
        # What comes out of a tunnel is of those that are answered through it.
        yield from (PacketBox(links=tunnels, source=(prefix,)) for prefix in _beyond(world.tunnelled))
        outer = tuple(name for name in world.outer if name not in tunnels)
        yield from (PacketBox(links=outer, source=(prefix,)) for prefix in world.tunnelled if outer)
    if world.silent:
        yield PacketBox(links=world.silent)
    for name, nets in sorted(world.behind.items()):
        if nets:
            yield from (PacketBox(links=(name,), source=(prefix,)) for prefix in _beyond(nets))
        else:
            yield PacketBox(links=(name,))
    if world.outer and world.pods:
        yield PacketBox(links=world.outer, source=world.pods)


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

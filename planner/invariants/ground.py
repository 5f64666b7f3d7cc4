"""Who is where on a node, for one family: its pods, pods of other nodes, its uplink and own address, who is outside."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address, ip_network

from planner.dataplane.bridge import port_of
from planner.dataplane.packet import number, show
from planner.dataplane.query import Found, Query
from planner.dataplane.source import select_address4, select_address6
from planner.dataplane.view import View, view_of
from planner.models.cluster import Cluster
from planner.models.flow import Entry
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop
from planner.models.topology import Overlay, PodAttachment, Topology
from planner.topology.prefixes import inside, network

OUTSIDE = {"ip": "93.184.216.34", "ip6": "2606:2800:220:1:248:1893:25c8:1946"}
"""Somebody outside: long the addresses of example.com. Lists of addresses that no packet may have spare them."""
PEERS = 3
"""Other nodes of which a pod is asked."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Somebody who sends: an address, where its packets enter, and its name."""

    address: str
    entry: Entry
    words: str

    @property
    def link(self) -> str:
        """The link its packets come by; `local` for the node itself."""
        return self.entry.link or "local"

    def __str__(self) -> str:
        return self.words if self.address in self.words else f"{self.words} ({self.address})"


class Ground:
    """One node in one family, before the change."""

    def __init__(
        self,
        state: NodeState,
        topology: Topology,
        cluster: Cluster | None,
        family: str,
        later: tuple[NodeState, ...] = (),
    ) -> None:
        self.state = state
        self.topology = topology
        self.cluster = cluster
        self.family = family
        self.later = later
        """What becomes of it: the proposal may tell whom somebody thinks of."""

    @property
    def view(self) -> View:
        """The state as packets meet it."""
        return view_of(self.state)

    @property
    def main(self) -> bool:
        """Whether it is the family that the node mainly speaks."""
        return self.family == "ip" or not uplink_of(self.state, self.topology, "ip")

    @property
    def also(self) -> str:
        """Behind words about the other family."""
        return "" if self.main else " over IPv6"

    def mine(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Those addresses and prefixes that are of the family."""
        return tuple(text for text in texts if (":" in text) == (self.family == "ip6"))

    @cached_property
    def uplink(self) -> str:
        """The link towards everybody else; empty when there is none with an address of the family."""
        return uplink_of(self.state, self.topology, self.family)

    @cached_property
    def own(self) -> str:
        """The node's own address at its uplink."""
        link = self.view.links.get(self.uplink)
        return next((a.address for a in _global(link, self.family)), "")

    @cached_property
    def addresses(self) -> frozenset[str]:
        """All of the node's own."""
        return frozenset(a.address for link in self.state.links for a in link.addresses)

    def lookup(self, destination: str, source: str = "", iif: str = "lo") -> Found:
        """The route of what the node itself sends there."""
        query = Query(destination=number(destination), source=number(source) if source else 0, iif=iif)
        return self.view.fib(self.family).lookup(query, lambda _key, _reason: True)

    def leg(self, destination: str, sender: Spot | None = None) -> NextHop | None:
        """The next hop there, for the node itself or for a sender that it forwards for; None without a route."""
        found = self.lookup(destination, sender.address, sender.link) if sender else self.lookup(destination)
        return found.legs[0] if found.type == "unicast" and found.legs else None

    def by_default(self, destination: str) -> bool:
        """Whether only the default route leads there."""
        found = self.lookup(destination)
        return found.route is not None and found.route.is_default

    def host(self, destination: str) -> Spot | None:
        """The node itself, with the address that it would send from."""
        found = self.lookup(destination)
        if found.type == "local":
            return Spot(destination, Entry(), f"{self.state.name} itself")
        leg = self.leg(destination)
        if leg is None:
            return None
        if found.route is not None and found.route.source:
            address = found.route.source
        else:
            near = (
                number(leg.via)
                if leg.via and (":" in leg.via) == (self.family == "ip6")
                else number(destination)
            )
            chosen = (
                select_address4(self.view, leg.link, near)
                if self.family == "ip"
                else select_address6(self.view, leg.link, number(destination))
            )
            address = show(chosen, self.family) if chosen is not None else ""
        return Spot(address, Entry(), f"{self.state.name} itself") if address else None

    @cached_property
    def leaves(self) -> bool:
        """Whether a default route leads away."""
        return self.leg(OUTSIDE[self.family]) is not None

    @cached_property
    def outside(self) -> Spot | None:
        """Somebody who is not of the cluster: beyond the default route, else beside the node."""
        if self.leaves and self.uplink:
            leg = self.leg(OUTSIDE[self.family])
            link = leg.link if leg is not None else self.uplink
            if link in self.topology.overlay_links:
                return None
            return Spot(OUTSIDE[self.family], Entry(link=link), f"outside ({OUTSIDE[self.family]})")
        return self.beside

    @cached_property
    def beside(self) -> Spot | None:
        """Another machine of the node's own network."""
        others = self.mine(
            tuple(a for node in self.cluster.nodes if node.name != self.state.name for a in node.addresses)
            if self.cluster is not None
            else ()
        )
        for address in sorted(others, key=ip_address):
            leg = self.leg(address)
            if leg is not None and leg.link not in self.topology.overlay_links:
                return Spot(address, Entry(link=leg.link), f"another node ({address})")
        link = self.view.links.get(self.uplink)
        gateways = {hop.via for route in self.state.routes for hop in route.nexthops}
        for own in _global(link, self.family):
            if own.length >= (31 if self.family == "ip" else 127):
                continue
            net = ip_network(own.prefix, strict=False)
            for step in (2, 3, 4, 5, 6):
                found = str(net[step % (net.num_addresses - 1)])
                if found not in self.addresses and found not in gateways:
                    return Spot(found, Entry(link=self.uplink), f"a neighbour ({found})")
        return None

    @cached_property
    def pods(self) -> tuple[Spot, ...]:
        """Pods of this node, the first and the last of them by name; the plainest addresses where none is known."""
        if self.topology.pods == 0:
            return ()
        found = [
            Spot(address, entry, name)
            for address, name in self._known_pods()
            if (entry := self.pod_entry(address)) is not None
        ]
        if not found:
            found = [
                Spot(address, entry, f"pod {address}")
                for address in self._plain_pods()
                if (entry := self.pod_entry(address)) is not None
            ]
        found = list({spot.address: spot for spot in found}.values())
        chosen = [found[0], found[-1]] if len(found) > 1 else found
        if len(chosen) == 2 and chosen[0].entry.bridge_port == chosen[1].entry.bridge_port != "":
            other = next((p for p in self.topology.pod_links if p != chosen[0].entry.bridge_port), "")
            last = chosen[1]
            chosen[1] = Spot(last.address, last.entry.model_copy(update={"bridge_port": other}), last.words)
        return tuple(chosen)

    def _known_pods(self) -> Iterator[tuple[str, str]]:
        """Addresses with names: as the API says, as the node has met them, as routes lead to them, as rules translate to them."""
        for pod in self.cluster.pods if self.cluster is not None else ():
            if pod.node == self.state.name and not pod.host_network and pod.phase == "Running":
                for address in self.mine(pod.addresses):
                    yield address, f"pod {pod.namespace}/{pod.name}"
        links = {*self.topology.bridges, *self.topology.pod_links}
        met = [
            n.address for n in self.state.neighbours if n.link in links and n.address not in self.addresses
        ]
        length = "/32" if self.family == "ip" else "/128"
        met += [
            route.prefix.removesuffix(length)
            for route in self.state.routes
            if route.type == "unicast"
            and route.prefix.endswith(length)
            and any(hop.link in self.topology.pod_links and not hop.via for hop in route.nexthops)
        ]
        for address in sorted(set(self.mine(tuple(met))), key=ip_address):
            if not ip_address(address).is_link_local:
                yield address, f"pod {address}"

    def _plain_pods(self) -> Iterator[str]:
        for prefix in self.mine(self.topology.node_pod_ranges):
            net = ip_network(prefix, strict=False)
            free = (str(net[step]) for step in range(2, min(net.num_addresses - 1, 12)))
            yield from [address for address in free if address not in self.addresses][:2]
            return

    def pod_entry(self, address: str) -> Entry | None:
        """Where the packets of a pod of this node enter; None when it is none of this node's."""
        leg = self.leg(address)
        if leg is None or leg.via or leg.link in self.topology.uplinks:
            return None
        link = self.view.links.get(leg.link)
        if link is None or (link.kind != "bridge" and leg.link not in self.topology.pod_links):
            return None
        if link.kind != "bridge":
            return Entry(link=leg.link)
        ports = [name for name in self.topology.pod_links if self.view.links[name].master == leg.link]
        port = port_of(self.view, leg.link, address)
        if not port and ports:
            port = ports[number(address) % len(ports)]
        return Entry(link=leg.link, bridge_port=port)

    @cached_property
    def pods_elsewhere(self) -> tuple[Spot, ...]:
        """A pod of each of a few other nodes, with the link that leads to it."""
        if self.topology.overlay is Overlay.NONE and self.topology.attachment is PodAttachment.NONE:
            return ()
        found: dict[str, Spot] = {}
        moved: dict[str, Spot] = {}
        changing = self._changing
        for address, name, node in self._elsewhere():
            if node in found or node in moved or (len(found) >= PEERS and not changing):
                continue
            leg = self.leg(address)
            if leg is None or leg.link in self.topology.pod_links:
                continue
            if len(found) < PEERS:
                found[node] = Spot(address, Entry(link=leg.link), name)
            elif len(moved) < PEERS and inside(address, changing):
                moved[node] = Spot(address, Entry(link=leg.link), name)
        return (*found.values(), *moved.values())

    @cached_property
    def _changing(self) -> tuple[str, ...]:
        """Prefixes of routes that will not be the same: who is behind must be asked, whoever else is chosen."""
        now = (
            set(map(repr, self.state.routes))
            if any(s.routes is not self.state.routes for s in self.later)
            else set()
        )
        differ = {
            route.prefix
            for state in self.later
            if state.routes is not self.state.routes
            for one, others in ((self.state.routes, set(map(repr, state.routes))), (state.routes, now))
            for route in one
            if route.family == self.family and not route.is_default and repr(route) not in others
        }
        return tuple(sorted(differ))

    def _elsewhere(self) -> Iterator[tuple[str, str, str]]:
        """Address, name, and what tells its node from others."""
        own = self.topology.node_pod_ranges
        for pod in self.cluster.pods if self.cluster is not None else ():
            if pod.node not in {"", self.state.name} and not pod.host_network and pod.phase == "Running":
                for address in self.mine(pod.addresses):
                    if not inside(address, own):
                        yield address, f"pod {pod.namespace}/{pod.name} on {pod.node}", pod.node
        for route in self.state.routes:
            net = network(route.prefix)
            if (
                net is not None
                and route.family == self.family
                and route.type == "unicast"
                and not route.is_default
                and any(hop.via or hop.link in self.topology.overlay_links for hop in route.nexthops)
                and net.num_addresses > 2
                and not inside(route.prefix, own)
                and (inside(route.prefix, self.topology.pod_ranges) or self._over(route.nexthops))
            ):
                address = str(net[2])
                yield address, f"pod {address} on another node", route.prefix
        if not self.topology.overlay_links and self.topology.overlay is not Overlay.UNKNOWN:
            for prefix in self.mine(self.topology.pod_ranges):
                net = ip_network(prefix, strict=False)
                for place in (2, -3, net.num_addresses // 2):
                    address = str(net[place])
                    if not inside(address, own) and not self.pod_entry(address):
                        yield address, f"pod {address} on another node", prefix

    def _over(self, hops: tuple[NextHop, ...]) -> bool:
        return any(hop.link in self.topology.overlay_links for hop in hops)


def grounds(
    state: NodeState, topology: Topology, cluster: Cluster | None, later: tuple[NodeState, ...] = ()
) -> Iterator[Ground]:
    """One for each family that the node has an address of."""
    for family in ("ip", "ip6"):
        if uplink_of(state, topology, family):
            yield Ground(state, topology, cluster, family, later)


def uplink_of(state: NodeState, topology: Topology, family: str) -> str:
    """The first uplink with an address of the family."""
    for name in topology.uplinks:
        if any(_global(state.link(name), family)):
            return name
    # Nodes of some clouds have their address elsewhere than on the link that carries the default route.
    if topology.uplinks and any(any(_global(link, family)) for link in state.links if link.name == "lo"):
        return topology.uplinks[0]
    return ""


def _global(link: Link | None, family: str) -> list[Address]:
    return [a for a in (link.addresses if link else ()) if a.family == family and a.scope == "global"]

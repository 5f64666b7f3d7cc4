"""What is known of a node's surroundings, as addresses, links and ports: who lives there, who serves, who listens."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.topology import Overlay, Topology
from planner.models.traffic import PacketBox
from planner.topology.ports import DEFAULT_RANGE, port_pool
from planner.topology.prefixes import merged, network, networks

TCP, UDP, SCTP = 6, 17, 132
NUMBERS = {"tcp": TCP, "udp": UDP, "sctp": SCTP}
SSH = 22
BLOCKS = frozenset(
    {Overlay.CALICO_BGP, Overlay.CALICO_IPIP, Overlay.CALICO_VXLAN, Overlay.CILIUM, Overlay.AWS_VPC}
)
"""Networks that hand out addresses to nodes as they need them, whatever a node's podCIDR says."""
SEEN = 512
"""Services that stand for all of them."""
SERVED = re.compile(r"-d ([0-9a-f.:]+)/(?:32|128) -p (tcp|udp|sctp) .*--dport (\d+) .*-j KUBE-S")
MAPPED = re.compile(r"-p (tcp|udp|sctp) .*--dports? ([0-9,]+)")
ENTERED = re.compile(r"-p (tcp|udp|sctp) .*--dport (\d+) ")


@dataclass(frozen=True)
class World:
    """What is asked of the node again and again."""

    state: NodeState
    topology: Topology
    cluster: Cluster | None
    ranges: tuple[str, ...] = ()
    """Pods' ranges that are told elsewhere."""

    @cached_property
    def inner(self) -> tuple[str, ...]:
        """Links that pods' packets come by."""
        return (*self.topology.bridges, *self.topology.pod_links)

    @cached_property
    def outer(self) -> tuple[str, ...]:
        """The others, without lo."""
        away = {*self.inner, "lo"}
        return tuple(link.name for link in self.state.links if link.name not in away)

    @cached_property
    def silent(self) -> tuple[str, ...]:
        """Those of them by which nothing comes: without a carrier, or without an address and a route."""
        led = {hop.link for route in self.state.routes for hop in route.nexthops}
        return tuple(
            link.name
            for link in self.state.links
            if link.name in self.outer and (not link.carrier or not (link.addresses or link.name in led))
        )

    @cached_property
    def beside(self) -> tuple[str, ...]:
        """Those of them that are no tunnel."""
        return tuple(name for name in self.outer if name not in self.topology.overlay_links)

    @cached_property
    def peers(self) -> tuple[str, ...]:
        """Addresses of the other nodes, where they are known."""
        nodes = self.cluster.nodes if self.cluster is not None else ()
        told = [address for node in nodes if node.name != self.state.name for address in node.addresses]
        told += [entry.destination for entry in self.state.fdb if entry.destination]
        return merged(networks(told))

    @cached_property
    def own(self) -> tuple[str, ...]:
        """The node's addresses."""
        return tuple(
            f"{a.address}/{128 if a.family == 'ip6' else 32}"
            for link in self.state.links
            for a in link.addresses
            if link.name != "lo"
        )

    @cached_property
    def entered(self) -> tuple[str, ...]:
        """Addresses that outsiders ask for."""
        mine = tuple(
            f"{a.address}/{128 if a.family == 'ip6' else 32}"
            for link in self.state.links
            for a in link.addresses
            if link.name in self.topology.uplinks
        )
        return mine or self.own

    @cached_property
    def pods(self) -> tuple[str, ...]:
        """Where this node's pods have their addresses: its ranges, and routes by pods' links."""
        links = set(self.inner)
        routed = [
            route.prefix
            for route in self.state.routes
            if not route.is_default and any(hop.link in links and not hop.via for hop in route.nexthops)
        ]
        return merged(networks((*self.topology.node_pod_ranges, *routed)))

    @cached_property
    def homes(self) -> tuple[str, ...]:
        """Where pods of this node can be: routed ones at the end of their routes, bridged ones anywhere in the range."""
        alone = [prefix for links, held in self._homes(self.pods) for prefix in held if links]
        return merged(networks(alone)) or self.pods

    @cached_property
    def vacant(self) -> tuple[str, ...]:
        """Pod ranges of this node, which hold addresses that no pod has."""
        told = self.topology
        return merged(
            networks((*self.pods, *told.node_pod_ranges, *told.pod_ranges, *self.ranges, *self.tunnelled))
        )

    @cached_property
    def tunnelled(self) -> tuple[str, ...]:
        """What is routed into the overlay."""
        tunnels = set(self.topology.overlay_links)
        return merged(
            networks(
                route.prefix
                for route in self.state.routes
                if not route.is_default and any(hop.link in tunnels for hop in route.nexthops)
            )
        )

    @cached_property
    def ephemeral(self) -> tuple[tuple[int, int], ...]:
        """Source ports of the node's own connections, which answers come back to."""
        pool = port_pool(self.state.sysctls)
        return ((pool.low, pool.high),) if pool is not None else (DEFAULT_RANGE,)

    @cached_property
    def senders(self) -> tuple[PacketBox, ...]:
        """Links that this node's pods send by, each with the addresses that may come there."""
        return tuple(PacketBox(links=links, source=held) for links, held in self._homes(self.pods))

    @cached_property
    def real_senders(self) -> tuple[PacketBox, ...]:
        """Those of real pods, where they are known."""
        return tuple(PacketBox(links=links, source=held) for links, held in self._homes(self.real_pods))

    def _homes(self, pods: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        alone: dict[str, list[str]] = {}
        for route in self.state.routes:
            for hop in route.nexthops:
                if hop.link in self.topology.pod_links and not hop.via and not route.is_default:
                    alone.setdefault(hop.link, []).append(route.prefix)
        for link, prefixes in sorted(alone.items()):
            yield (link,), merged(networks(prefixes))
        shared = self.topology.bridges or tuple(name for name in self.topology.pod_links if name not in alone)
        if shared and (self.topology.bridges or not alone):
            yield shared, pods

    @cached_property
    def behind(self) -> dict[str, tuple[str, ...]]:
        """Bridges of others than pods, with their networks: containers and machines that the node routes for."""
        away = {*self.inner, *self.topology.uplinks, *self.topology.overlay_links}
        return {
            link.name: merged(networks(one.prefix for one in link.addresses))
            for link in self.state.links
            if link.kind == "bridge" and link.name not in away
        }

    @cached_property
    def real_pods(self) -> tuple[str, ...]:
        """Addresses of pods on this node, where they are known; else all they may have."""
        pods = self.cluster.pods if self.cluster is not None else ()
        there = {
            f"{address}/{128 if ':' in address else 32}"
            for pod in pods
            if pod.node == self.state.name and not pod.host_network and pod.phase in {"Running", "Pending"}
            for address in pod.addresses
        }
        return tuple(sorted(there)) or self.pods

    @cached_property
    def other_pods(self) -> tuple[str, ...]:
        """Where pods of other nodes have their addresses."""
        nodes = self.cluster.nodes if self.cluster is not None else ()
        told = [cidr for node in nodes if node.name != self.state.name for cidr in node.pod_cidrs]
        if not told or self.topology.overlay in BLOCKS:
            return merged(networks((*self.topology.pod_ranges, *self.tunnelled, *self._led_to_peers())))
        held = [
            f"{address}/{128 if ':' in address else 32}"
            for pod in (self.cluster.pods if self.cluster is not None else ())
            if pod.node != self.state.name and not pod.host_network
            for address in pod.addresses
        ]
        return merged(networks((*told, *held, *self._led_to_peers())))

    def _led_to_peers(self) -> Iterator[str]:
        """What is routed to another node's address."""
        peers = {str(net.network_address) for net in networks(self.peers)}
        for route in self.state.routes:
            if not route.is_default and any(hop.via in peers for hop in route.nexthops):
                yield route.prefix

    @cached_property
    def api(self) -> tuple[str, ...]:
        """API servers' addresses."""
        hosts = (
            server if server.count(":") > 1 else server.split(":")[0] for server in self.topology.api_servers
        )
        return tuple(str(net) for host in hosts if (net := network(host.strip("[]"))) is not None)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """Prefixes of Services."""
        held = [ip for service in self.cluster.services for ip in service.cluster_ips] if self.cluster else []
        return merged(networks((*self.topology.service_ranges, *held)))

    @cached_property
    def dns(self) -> tuple[str, ...]:
        """Addresses that pods ask for names."""
        return merged(networks(self.topology.dns_service))

    @cached_property
    def listeners(self) -> tuple[tuple[int, int], ...]:
        """Protocol and port of programs that others can reach."""
        return tuple(
            sorted(
                {
                    (NUMBERS[one.protocol[:3]], one.port)
                    for one in self.state.volatile.listeners
                    if one.protocol[:3] in NUMBERS
                    and not one.address.startswith("127.")
                    and one.address != "::1"
                }
            )
        )

    @cached_property
    def ssh(self) -> tuple[tuple[int, int], ...]:
        """Ports of sshd."""
        found = {one.port for one in self.state.volatile.listeners if "sshd" in one.process}
        return pairs(found or {SSH})

    @cached_property
    def serves_api(self) -> bool:
        """Whether an API server runs here."""
        return bool(set(self.api) & set(self.own)) or (TCP, 6443) in self.listeners

    @cached_property
    def served(self) -> tuple[PacketBox, ...]:
        """Services that have somebody behind them, by address, protocol and port; as many as stand for all."""
        found: dict[tuple[str, int, int], None] = {}
        for service in self.cluster.services if self.cluster is not None else ():
            if any(endpoint.ready for endpoint in service.endpoints):
                for address in service.cluster_ips:
                    for port in service.ports:
                        if network(address) is not None and port.protocol.lower() in NUMBERS:
                            found[address, NUMBERS[port.protocol.lower()], port.port] = None
        if not found:
            found = dict.fromkeys(_from_rules(self.state, "cluster IP"))
        return asked_for(found)

    @cached_property
    def balanced(self) -> tuple[PacketBox, ...]:
        """Services by the addresses that outsiders ask for."""
        return asked_for(
            {*_from_rules(self.state, "loadbalancer IP"), *_from_rules(self.state, "external IP")}
        )

    @cached_property
    def node_ports(self) -> tuple[PacketBox, ...]:
        """Protocols and ports."""
        found = {
            (NUMBERS[port.protocol.lower()], port.node_port)
            for service in (self.cluster.services if self.cluster is not None else ())
            for port in service.ports
            if port.node_port and port.protocol.lower() in NUMBERS
        }
        for rules in self.state.rulesets if not found else ():
            nat = rules.tables.get("nat")
            for text in nat.chains.get("KUBE-NODEPORTS", ()) if nat is not None else ():
                if (named := ENTERED.search(text)) is not None:
                    found.add((NUMBERS[named[1]], int(named[2])))
        return ported(found or {(one, port) for one in (TCP, UDP) for port in self.topology.node_ports})

    @cached_property
    def host_ports(self) -> tuple[PacketBox, ...]:
        """Protocols and ports that pods claim on this node."""
        found = {
            (NUMBERS[port.protocol.lower()], port.host_port)
            for pod in (self.cluster.pods if self.cluster is not None else ())
            if pod.node == self.state.name
            for port in pod.host_ports
            if port.protocol.lower() in NUMBERS
        }
        return ported(
            found
            or set(self._mapped())
            or {(one, port) for one in (TCP, UDP) for port in self.topology.host_ports}
        )

    def _mapped(self) -> Iterator[tuple[int, int]]:
        """What portmap's rules say."""
        for rules in self.state.rulesets:
            nat = rules.tables.get("nat")
            for text in nat.chains.get("CNI-HOSTPORT-DNAT", ()) if nat is not None else ():
                for protocol, ports in MAPPED.findall(text):
                    yield from ((NUMBERS[protocol], int(port)) for port in ports.split(",") if port.isdigit())


def pairs(ports: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Ports as intervals."""
    return tuple((port, port) for port in sorted(ports))


def ported(asked: Iterable[tuple[int, int]]) -> tuple[PacketBox, ...]:
    """Protocol and port as boxes."""
    by_protocol: dict[int, list[int]] = {}
    for protocol, port in asked:
        by_protocol.setdefault(protocol, []).append(port)
    return tuple(
        PacketBox(protocols=(protocol,), destination_ports=pairs(ports))
        for protocol, ports in sorted(by_protocol.items())
    )


def asked_for(found: Iterable[tuple[str, int, int]]) -> tuple[PacketBox, ...]:
    """Address, protocol and port as boxes, as many as stand for all."""
    return tuple(
        PacketBox(destination=(address,), protocols=(protocol,), destination_ports=((port, port),))
        for address, protocol, port in sorted(found)[:SEEN]
    )


def _from_rules(state: NodeState, words: str) -> Iterator[tuple[str, int, int]]:
    for rules in state.rulesets:
        nat = rules.tables.get("nat")
        for text in (nat.chains.get("KUBE-SERVICES", ()) if nat is not None else ())[: 4 * SEEN]:
            found = SERVED.match(text)
            if found is not None and words in text:
                yield found[1], NUMBERS[found[2]], int(found[3])

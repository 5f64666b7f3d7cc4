"""What is known of a node's surroundings, as addresses, links and ports: who lives there, who serves, who listens."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.topology import Topology
from planner.models.traffic import PacketBox
from planner.topology.prefixes import merged, network, networks

TCP, UDP, SCTP = 6, 17, 132
NUMBERS = {"tcp": TCP, "udp": UDP, "sctp": SCTP}
SSH = 22
SEEN = 512
"""Services that stand for all of them."""
SERVED = re.compile(r"-d ([0-9a-f.:]+)/(?:32|128) -p (tcp|udp|sctp) .*--dport (\d+) .*-j KUBE-S")
ENTERED = re.compile(r"-p (tcp|udp|sctp) .*--dport (\d+) ")


@dataclass(frozen=True)
class World:
    """What is asked of the node again and again."""

    state: NodeState
    topology: Topology
    cluster: Cluster | None

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
        """Where the cluster's pods have their addresses, and what is routed into the overlay."""
        tunnels = set(self.topology.overlay_links)
        routed = [
            route.prefix
            for route in self.state.routes
            if not route.is_default and any(hop.link in tunnels for hop in route.nexthops)
        ]
        return merged(networks((*self.topology.pod_ranges, *routed)))

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
            found = dict.fromkeys(_from_rules(self.state))
        chosen = sorted(found)[:SEEN]
        return tuple(
            PacketBox(destination=(address,), protocols=(protocol,), destination_ports=((port, port),))
            for address, protocol, port in chosen
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
        return ported(found or {(one, port) for one in (TCP, UDP) for port in self.topology.host_ports})


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


def _from_rules(state: NodeState) -> Iterator[tuple[str, int, int]]:
    for rules in state.rulesets:
        nat = rules.tables.get("nat")
        for text in (nat.chains.get("KUBE-SERVICES", ()) if nat is not None else ())[: 4 * SEEN]:
            found = SERVED.match(text)
            if found is not None:
                yield found[1], NUMBERS[found[2]], int(found[3])

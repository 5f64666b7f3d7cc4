"""Whose packets a route is for: the node's own, and those of each pod that policy rules tell apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from planner.dataplane.lookup import Way, lookup
from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.topology import Topology
from planner.risks.risk import Review
from planner.topology.prefixes import network

MOST = 32
"""Pods asked for: those that policy rules name come first, and the rest share one way."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Where packets enter, and with what source."""

    link: str | None
    """None: a program of the node."""
    source: str = ""

    def way(self, state: NodeState, destination: str) -> Way:
        """Where its packets go."""
        return lookup(state, destination, source=self.source, link=self.link)


HOST = Sender(None)


def pod_senders(review: Review, family: str) -> tuple[Sender, ...]:
    """One for each pod that a policy rule may treat differently; at least one."""
    return _pods(_Asked(review.before, review.topology, review.cluster), family)


class _Asked:
    """What the answer hangs on, by identity."""

    def __init__(self, state: NodeState, topology: Topology, cluster: Cluster | None) -> None:
        self.state, self.topology, self.cluster = state, topology, cluster

    def __hash__(self) -> int:
        return id(self.state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and other.state is self.state and other.cluster is self.cluster


@lru_cache(maxsize=16)
def _pods(asked: _Asked, family: str) -> tuple[Sender, ...]:
    link = _entry(asked.topology)
    named = {rule.source.split("/")[0] for rule in asked.state.policy_rules if rule.source}
    known = sorted(dict(_addresses(asked, family)).items(), key=lambda item: (item[0] not in named, item[0]))
    found = [Sender(own or link, address) for address, own in known[:MOST]]
    return tuple(found) or (Sender(link, _likely(asked.topology, family)),)


def _entry(topology: Topology) -> str:
    """The link that pods' packets come by: their bridge, else one of their own."""
    return next(iter((*topology.bridges, *topology.pod_links)), "")


def _addresses(asked: _Asked, family: str) -> Iterator[tuple[str, str]]:
    """Addresses of pods, with the link that a route leads to them by."""
    six = family == "ip6"
    pods = asked.cluster.pods if asked.cluster else ()
    yield from (
        (address, "")
        for pod in pods
        if pod.node == asked.state.name and not pod.host_network
        for address in pod.addresses
        if (":" in address) == six
    )
    for route in asked.state.routes:
        net = network(route.prefix)
        if route.family != family or route.type != "unicast" or net is None or net.num_addresses > 1:
            continue
        yield from (
            (str(net.network_address), hop.link)
            for hop in route.nexthops
            if hop.link in asked.topology.pod_links
        )


def _likely(topology: Topology, family: str) -> str:
    """An address that a pod of the node could have."""
    six = family == "ip6"
    for text in (*topology.node_pod_ranges, *topology.pod_ranges):
        net = network(text)
        if net is not None and (net.version == 6) == six and net.num_addresses > 4:
            return str(ip_address(int(net.network_address) + 2))
    return ""

"""Whose pods live behind a prefix, and arithmetic with the prefixes of routes."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from planner.models.change import Change, RouteChange
from planner.risks.risk import Review

Prefix = IPv4Network | IPv6Network


def prefix(text: str) -> Prefix:
    """The prefix with its host bits cleared."""
    return ip_network(text, strict=False)


def within(inner: str, outer: str) -> bool:
    """Whether every address of the first lies in the second."""
    one, other = prefix(inner), prefix(outer)
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.subnet_of(other)
    return isinstance(one, IPv6Network) and isinstance(other, IPv6Network) and one.subnet_of(other)


def overlaps(one: str, other: str) -> bool:
    """Whether two prefixes share an address."""
    return within(one, other) or within(other, one)


def first_address(text: str) -> str:
    """An address in the middle of the prefix: one that a host could have."""
    net = prefix(text)
    return str(net[net.num_addresses // 2])


def is_own(text: str, review: Review) -> bool:
    """Whether the prefix is part of this node's own pod range."""
    return any(within(text, own) for own in review.topology.node_pod_ranges)


def is_pods(text: str, review: Review) -> bool:
    """Whether the prefix is part of the cluster's pod range, or of some node's."""
    ranges: Iterable[str] = (*review.topology.pod_ranges, *owners(review))
    return any(within(text, item) for item in ranges)


def owners(review: Review) -> dict[str, tuple[str, frozenset[str]]]:
    """Pod range to its node and that node's addresses, from the cluster's Node objects."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for node in review.cluster.nodes if review.cluster else ():
        for item in node.pod_cidrs:
            found[str(prefix(item))] = (node.name, frozenset(node.addresses))
    return found


def owner(text: str, review: Review) -> tuple[str, frozenset[str]] | None:
    """The node whose pods live in the prefix; None when the cluster does not say."""
    return next((node for item, node in sorted(owners(review).items()) if within(text, item)), None)


def route_changes(changes: Iterable[Change], horizon: int) -> tuple[RouteChange, ...]:
    """The route changes of one horizon."""
    return tuple(item for item in changes if isinstance(item, RouteChange) and item.horizon == horizon)

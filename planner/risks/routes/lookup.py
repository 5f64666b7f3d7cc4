"""Which route a destination takes within one table, and whose pods live behind a prefix."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from planner.models.change import Change, RouteChange
from planner.models.node import NodeState
from planner.models.route import MAIN, Route
from planner.risks.risk import Review

Prefix = IPv4Network | IPv6Network
Hops = tuple[str, frozenset[tuple[str, str]], str]
"""Type, next hops as (gateway, link), preferred source: what a packet notices of a route."""
DISCARDS = frozenset({"blackhole", "unreachable", "prohibit"})


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


def lookup(state: NodeState, address: str, table: str = MAIN) -> Route | None:
    """The route of one address in one table: longest prefix first, then smallest metric, then the order of the table."""
    # fib_trie.c, fib_table_lookup: length, then tos, then priority; a tos of 0 stands for all traffic here.
    # Routes whose link is down are skipped for unicast (fib_table_lookup, RTNH_F_DEAD).
    target = ip_address(address)
    best: Route | None = None
    for route in state.routes:
        if route.table != table or route.tos not in {"0", "", "0x00"}:
            continue
        net = prefix(route.prefix)
        if target.version != net.version or target not in net:
            continue
        if best is None or (-net.prefixlen, route.metric) < (-prefix(best.prefix).prefixlen, best.metric):
            best = route
    return best


def hops(route: Route | None) -> Hops:
    """What decides where the packet goes; `none` when there is no route."""
    if route is None:
        return "none", frozenset(), ""
    return (
        route.type,
        frozenset((hop.via, hop.link) for hop in route.nexthops)
        or frozenset({("", str(route.nexthop_id or ""))}),
        route.source,
    )


def first_address(text: str) -> str:
    """An address in the middle of the prefix: one that a host could have."""
    net = prefix(text)
    return str(net[net.num_addresses // 2])


def decided(state: NodeState, text: str, table: str = MAIN) -> Hops:
    """Where packets to the prefix go, as far as one of its addresses tells."""
    return hops(lookup(state, first_address(text), table))


def shown(route: Route | None) -> str:
    """`via 10.0.0.7 on eth0`, `blackhole`, `no route`."""
    if route is None:
        return "no route"
    if route.type != "unicast":
        return route.type
    parts = [f"{'via ' + hop.via + ' ' if hop.via else ''}on {hop.link}" for hop in route.nexthops]
    return " or ".join(parts) or "a nexthop object"


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

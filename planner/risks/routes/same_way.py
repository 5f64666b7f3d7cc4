"""Proof that a change of routes or policy rules leads no packet another way."""

from planner.dataplane import agree
from planner.dataplane.agree import asks, same_in_table
from planner.dataplane.lookup import DISCARDS
from planner.dataplane.packet import number
from planner.dataplane.query import Query
from planner.dataplane.view import view_of
from planner.models.change import PolicyRuleChange, RouteChange
from planner.models.node import NodeState
from planner.models.route import MAIN
from planner.risks.risk import Review
from planner.risks.routes.prefixes import first_address, is_pods, overlaps, owner, prefix, within
from planner.risks.routes.senders import HOST


def same_lookups(change: RouteChange, before: NodeState, after: NodeState) -> bool:
    """Whether every address under the changed prefix is decided alike, or nobody asks the table."""
    route = change.route
    if not asks(before, route.family, route.table) and not asks(after, route.family, route.table):
        return True
    return same_in_table(before, after, route.family, route.table, route.prefix)


def had_way(change: RouteChange, before: NodeState) -> bool:
    """Whether packets to the prefix found a route in this table before."""
    route = change.route
    fib = view_of(before).fib(route.family)
    return any(
        fib.in_table(route.table, Query(number(address))) is not None for address in _edges(route.prefix)
    )


def leads_to_owner(change: RouteChange, review: Review) -> bool:
    """Whether a pod subnet is now sent to the node that the cluster gave it to."""
    after = change.after
    found = owner(after.prefix, review) if after is not None else None
    if after is None or found is None or not after.nexthops:
        return False
    return all(hop.via in found[1] for hop in after.nexthops)


def is_nobodys(change: RouteChange, review: Review) -> bool:
    """Whether only addresses of the pod range that the cluster gave to no node are decided otherwise."""
    given = [item for node in (review.cluster.nodes if review.cluster else ()) for item in node.pod_cidrs]
    route = change.route
    if not given or route.table != MAIN or not is_pods(route.prefix, review):
        return False
    taken = [item for item in given if overlaps(item, route.prefix)]
    return all(
        HOST.way(review.before, first_address(item)).hops == HOST.way(review.after, first_address(item)).hops
        for item in taken
    )


def is_own_block(change: RouteChange, review: Review) -> bool:
    """Whether only addresses of this node's own pod block that no pod has are discarded from now on.

    A routed network plugin gives each pod a longer route and discards the rest, lest it goes to the gateway and comes back.
    """
    after = change.after
    if after is None or change.before is not None or after.table != MAIN or after.type not in DISCARDS:
        return False
    inside = [
        route
        for route in review.before.routes
        if route.table == MAIN and route.family == after.family and overlaps(route.prefix, after.prefix)
        if not route.is_default
    ]
    pods = [route for route in inside if any(hop.link in review.topology.pod_links for hop in route.nexthops)]
    if not pods or any(within(after.prefix, route.prefix) for route in inside):
        return False
    others = [
        address
        for pod in (review.cluster.pods if review.cluster else ())
        for address in pod.addresses
        if within(address, after.prefix)
    ]
    return all(HOST.way(review.after, address).route != after for address in others)


def same_rules(change: PolicyRuleChange, before: NodeState, after: NodeState) -> bool:
    """Whether the rules, taken in order, ask the same tables for the same packets."""
    rule = change.after or change.before
    return agree.same_rules(before, after, rule.family if rule is not None else "ip")


def _edges(text: str) -> tuple[str, str]:
    net = prefix(text)
    return str(net.network_address), str(net.broadcast_address)

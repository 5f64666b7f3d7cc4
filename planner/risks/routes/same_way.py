"""Proof that a change of routes or policy rules leads no packet another way."""

from ipaddress import ip_address

from planner.models.change import PolicyRuleChange, RouteChange
from planner.models.node import NodeState
from planner.models.route import DEFAULT, LOCAL, MAIN, PolicyRule, Route
from planner.risks.risk import Review
from planner.risks.routes.lookup import (
    DISCARDS,
    Hops,
    decided,
    hops,
    is_pods,
    lookup,
    overlaps,
    owner,
    prefix,
    within,
)


def same_lookups(change: RouteChange, before: NodeState, after: NodeState) -> bool:
    """Whether every address under the changed prefix is decided alike, or nobody asks the table."""
    route = change.route
    if route.table not in {MAIN, LOCAL, DEFAULT} and not any(
        rule.table == route.table and rule.family == route.family
        for rule in (*before.policy_rules, *after.policy_rules)
    ):
        return True
    if any(item is not None and item.tos not in {"", "0", "0x00"} for item in (change.before, change.after)):
        return False
    return all(
        _told(lookup(before, address, route.table)) == _told(lookup(after, address, route.table))
        for address in _boundaries(route, before, after)
    )


def had_way(change: RouteChange, before: NodeState) -> bool:
    """Whether packets to the prefix found a route in this table before."""
    route = change.route
    return any(lookup(before, address, route.table) is not None for address in _edges(route.prefix))


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
    return all(decided(review.before, item) == decided(review.after, item) for item in taken)


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
    return all(lookup(review.after, address) != after for address in others)


def same_rules(change: PolicyRuleChange, before: NodeState, after: NodeState) -> bool:
    """Whether the rules, taken in order and without those that repeat the one before, ask the same tables."""
    rule = change.after or change.before
    family = rule.family if rule is not None else "ip"
    return _asked(before, family) == _asked(after, family)


def _asked(state: NodeState, family: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    rules = [rule for rule in state.policy_rules if rule.family == family]
    for rule in sorted(rules, key=lambda item: item.preference):
        asked = _meaning(rule)
        # A table that was asked without result for the same packets is asked in vain a second time, whatever stands
        # between, as long as the rule between does not end the lookup; only the neighbour is taken here.
        if not found or found[-1] != asked:
            found.append(asked)
    return found


def _meaning(rule: PolicyRule) -> tuple[object, ...]:
    goto = rule.goto if rule.action == "goto" else None
    return (
        *tuple(
            sorted(
                (key, str(value))
                for key, value in rule.model_dump().items()
                if key not in {"preference", "protocol", "goto"}
            )
        ),
        ("goto", goto),
    )


def _told(route: Route | None) -> tuple[Hops, int | None, int | None]:
    if route is None:
        return hops(None), None, None
    return hops(route), route.mtu, route.advmss


def _boundaries(route: Route, before: NodeState, after: NodeState) -> list[str]:
    """Addresses between which the answer cannot change: the ends of every prefix that overlaps, and their neighbours."""
    net = prefix(route.prefix)
    found: set[str] = set()
    for item in (*before.routes, *after.routes):
        if item.table == route.table and item.family == route.family and overlaps(item.prefix, route.prefix):
            inner = prefix(item.prefix)
            for number in (
                int(inner.network_address) - 1,
                int(inner.network_address),
                int(inner.broadcast_address),
                int(inner.broadcast_address) + 1,
            ):
                if int(net.network_address) <= number <= int(net.broadcast_address):
                    found.add(str(ip_address(net.network_address + (number - int(net.network_address)))))
    return sorted(found | set(_edges(route.prefix)))


def _edges(text: str) -> tuple[str, str]:
    net = prefix(text)
    return str(net.network_address), str(net.broadcast_address)

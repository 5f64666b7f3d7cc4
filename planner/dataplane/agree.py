"""Proof that two states route alike: all addresses of a prefix in one table, or all packets by their policy rules."""

from collections.abc import Iterator

from planner.dataplane.fib import Fib
from planner.dataplane.packet import number
from planner.dataplane.query import Found, Query, tos_of
from planner.dataplane.view import view_of
from planner.models.node import NodeState
from planner.models.route import PolicyRule


def asks(state: NodeState, family: str, table: str) -> bool:
    """Whether some policy rule looks into the table; a VRF's rule names none, and may look into any."""
    return any(
        (rule.action == "lookup" and rule.table == table) or "l3mdev" in rule.options
        for rule in view_of(state).fib(family).rules
    )


def same_in_table(before: NodeState, after: NodeState, family: str, table: str, prefix: str) -> bool:
    """Whether a lookup of the table ends alike for every address of the prefix."""
    old, new = view_of(before).fib(family), view_of(after).fib(family)
    if (old.has_realms, old.has_custom_local_routes) != (new.has_realms, new.has_custom_local_routes):
        return False
    base, _, length = prefix.partition("/")
    low = number(base) >> (old.bits - int(length)) << (old.bits - int(length))
    high = low | (1 << old.bits - int(length)) - 1
    seen = {address for fib in (old, new) for address in _edges(fib, table, low, high)} | {low, high}
    kinds = {0}
    for state in (before, after):
        for route in state.routes:
            if route.family == family and route.table == table:
                kinds.add(tos_of(route.tos))
                if "from" in route.options:
                    # A route for some sources only: not every source can be asked for.
                    return False
    suppressing = any(rule.suppress_prefixlength is not None for fib in (old, new) for rule in fib.rules)
    return all(
        _told(old, old.in_table(table, Query(address, tos=kind)), length=suppressing)
        == _told(new, new.in_table(table, Query(address, tos=kind)), length=suppressing)
        for address in sorted(seen)
        for kind in sorted(kinds)
    )


def _edges(fib: Fib, table: str, low: int, high: int) -> Iterator[int]:
    """Addresses between which the answer cannot change: both ends of every prefix inside, and their neighbours."""
    for net, length in fib.networks(table):
        last = net | (1 << fib.bits - length) - 1
        for address in (net - 1, net, last, last + 1):
            if low <= address <= high:
                yield address


def _told(fib: Fib, found: Found | None, *, length: bool) -> tuple[object, ...]:
    """What packets and the rules behind notice of an answer."""
    if found is None or found.route is None:
        return ("none" if found is None else found.type,)
    route = found.route
    hops = tuple(sorted((leg.via, leg.link, leg.weight, leg.encap) for leg in found.legs))
    # The check of the way back looks at every next hop, also at those that cannot be used (fib_info_nh_uses_dev).
    every = frozenset(leg.link for leg in fib.hops(route) or ())
    options = tuple(sorted(route.options.items()))
    size = route.prefix.rpartition("/")[2] if length else ""
    return found.type, hops, every, route.source, route.mtu, route.advmss, options, found.lost, size


def same_rules(before: NodeState, after: NodeState, family: str) -> bool:
    """Whether the policy rules, taken in order and without those that repeat the one before, ask the same tables."""
    old, new = view_of(before).fib(family), view_of(after).fib(family)
    # Rules of somebody's own also make the kernel look at sources where rp_filter is off (Fib.has_custom_rules); what it refuses
    # then are broadcast addresses as source, which nobody has.
    return old.takes_apart == new.takes_apart and _asked(old) == _asked(new)


def _asked(fib: Fib) -> list[tuple[object, ...]]:
    numbered = any(rule.action == "goto" for rule in fib.rules)
    found: list[tuple[object, ...]] = []
    for rule in fib.rules:
        asked = _meaning(rule, numbered=numbered)
        # A table that was asked without result for the same packets is asked in vain a second time, whatever stands
        # between, as long as the rule between does not end the lookup; only the neighbour is taken here.
        if not found or found[-1] != asked:
            found.append(asked)
    return found


def _meaning(rule: PolicyRule, *, numbered: bool) -> tuple[object, ...]:
    """Everything but who wrote it, and where it stands unless a `goto` counts on that."""
    left_out = {"protocol"} if numbered else {"protocol", "preference"}
    return tuple((key, str(value)) for key, value in sorted(rule.model_dump(exclude=left_out).items()))

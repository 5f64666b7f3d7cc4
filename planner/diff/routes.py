"""Routes, policy rules, nexthop objects, permanent neighbours and forwarding entries that differ in what they decide."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from planner.models.change import (
    ForwardingChange,
    NeighbourChange,
    NextHopChange,
    PolicyRuleChange,
    RouteChange,
)
from planner.models.link import ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState
from planner.models.route import LOCAL, NextHopObject, PolicyRule, Route

Item = TypeVar("Item")
Pair = tuple[Item | None, Item | None]


def diff_routes(
    before: NodeState, after: NodeState
) -> Iterator[RouteChange | PolicyRuleChange | NextHopChange | NeighbourChange | ForwardingChange]:
    """Sorted by kind and name. Order of listing, who installed a route and how long it lives are no difference."""
    node = after.name
    followed = moved_links(before, after)
    for old, new in pairs(before.routes, after.routes, key=_pair_key, content=decision):
        route = new or old
        if route is not None and not follows(route, followed):
            yield RouteChange(node=node, before=old, after=new)
    for old_rule, new_rule in rule_pairs(before.policy_rules, after.policy_rules):
        yield PolicyRuleChange(node=node, before=old_rule, after=new_rule)
    for old_hop, new_hop in pairs(
        before.nexthop_objects, after.nexthop_objects, key=lambda item: item.id, content=_object
    ):
        yield NextHopChange(node=node, before=old_hop, after=new_hop)
    for old_entry, new_entry in pairs(
        lasting(before.neighbours),
        lasting(after.neighbours),
        key=_neighbour_key,
        content=lambda entry: entry.mac,
    ):
        yield NeighbourChange(node=node, before=old_entry, after=new_entry)
    for old_fdb, new_fdb in pairs(
        written(before), written(after), key=_fdb_key, content=lambda entry: entry.destination
    ):
        yield ForwardingChange(node=node, before=old_fdb, after=new_fdb)


def pairs(
    before: Iterable[Item],
    after: Iterable[Item],
    *,
    key: Callable[[Item], Hashable],
    content: Callable[[Item], Hashable],
) -> Iterator[Pair[Item]]:
    """What differs among items of the same key: equal contents cancel, what is left is paired in its order."""
    groups: dict[Hashable, tuple[list[Item], list[Item]]] = defaultdict(lambda: ([], []))
    for side, items in enumerate((before, after)):
        for item in items:
            groups[key(item)][side].append(item)
    for _, (olds, news) in sorted(groups.items(), key=lambda group: repr(group[0])):
        contents = [content(item) for item in news]
        left: list[Item] = []
        for item in olds:
            if content(item) in contents:
                at = contents.index(content(item))
                del contents[at], news[at]
            else:
                left.append(item)
        for at in range(max(len(left), len(news))):
            yield (left[at] if at < len(left) else None, news[at] if at < len(news) else None)


def route_key(route: Route) -> tuple[str, str, str, str, int]:
    """What tells routes apart: family, table, prefix, type of service and metric."""
    return route.family, route.table, route.prefix, route.tos, route.metric


def _pair_key(route: Route) -> tuple[object, ...]:
    """Every link has its own link-local prefix: those of two links are no before and after of one route."""
    own = (
        tuple(hop.link for hop in route.nexthops)
        if route.family == "ip6" and route.protocol == "kernel"
        else ()
    )
    return (*route_key(route), own)


def decision(route: Route) -> Hashable:
    """What a route decides. Next hops of several are alike in any order; protocol and lifetime decide nothing."""
    hops = tuple(sorted(repr(hop) for hop in route.nexthops))
    scope = route.scope if route.family == "ip" else ""
    options = tuple(sorted(route.options.items()))
    return route.type, scope, route.source, hops, route.nexthop_id, route.mtu, route.advmss, options


def moved_links(before: NodeState, after: NodeState) -> frozenset[str]:
    """Links that came, went, or have other addresses or another state: their entries of table local follow."""
    old, new = ({link.name: _state(link) for link in state.links} for state in (before, after))
    return frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _state(link: Link) -> Hashable:
    return tuple(repr(address) for address in link.addresses), link.up, link.mtu


def follows(route: Route, moved: frozenset[str]) -> bool:
    """An entry that the kernel keeps for addresses of links that moved: the change of the address explains it."""
    if route.table != LOCAL or route.protocol != "kernel":
        return False
    return route.type == "anycast" or any(hop.link in moved for hop in route.nexthops)


def _rule_text(rule: PolicyRule) -> str:
    return repr(rule.model_copy(update={"protocol": ""}))


def rule_pairs(before: Iterable[PolicyRule], after: Iterable[PolicyRule]) -> Iterator[Pair[PolicyRule]]:
    """Rules by family and preference; among rules of one preference the order decides, so it is compared."""
    olds, news = list(before), list(after)
    yield from pairs(olds, news, key=_rule_key, content=_rule_text)
    for key in sorted({_rule_key(rule) for rule in olds}):
        left = [rule for rule in olds if _rule_key(rule) == key]
        right = [rule for rule in news if _rule_key(rule) == key]
        texts = [[_rule_text(rule) for rule in rules] for rules in (left, right)]
        if sorted(texts[0]) == sorted(texts[1]):
            for old, new in zip(left, right, strict=True):
                if _rule_text(old) != _rule_text(new):
                    yield old, new


def _rule_key(rule: PolicyRule) -> tuple[str, int]:
    return rule.family, rule.preference


def _object(item: NextHopObject) -> Hashable:
    return repr(item.model_copy(update={"protocol": ""}))


def lasting(entries: Iterable[Neighbour]) -> Iterator[Neighbour]:
    """Entries that somebody wrote: permanent ones and proxies. The rest is learned."""
    return (entry for entry in entries if entry.permanent or entry.proxy)


def _neighbour_key(entry: Neighbour) -> tuple[str, str, bool]:
    return entry.link, entry.address, entry.proxy


def written(state: NodeState) -> Iterator[ForwardingEntry]:
    """Permanent entries but those that a bridge keeps for the addresses of its own ports."""
    own = {link.mac for link in state.links}
    return (entry for entry in state.fdb if entry.permanent and entry.mac not in own)


def _fdb_key(entry: ForwardingEntry) -> tuple[str, str, str, str]:
    return entry.link, entry.mac, entry.master, str(entry.vlan)

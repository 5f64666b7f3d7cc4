"""Which route a packet takes: policy rules, then the longest prefix of a table (net/core/fib_rules.c, net/ipv4/fib_trie.c)."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_network

from planner.dataplane.query import LOOPBACK, OLD_TOS, Found, Query, selectors, tos_of, within
from planner.models.node import NodeState
from planner.models.route import LOCAL, MAIN, NextHop, PolicyRule, Route
from planner.sysctls.names import ALL, conf
from planner.sysctls.numbers import number as sysctl_number

Ask = Callable[[Hashable, str], bool]
"""Answers what is not known: a key, and the reason in words."""
ERRORS = frozenset({"blackhole", "unreachable", "prohibit"})


class Fib:
    """Policy rules and routes of one family."""

    def __init__(self, state: NodeState, family: str) -> None:
        self.state = state
        self.family = family
        self.bits = 32 if family == "ip" else 128
        self.rules = sorted(
            (rule for rule in state.policy_rules if rule.family == family), key=lambda rule: rule.preference
        ) or list(_usual(family))
        self._links = {link.name: link for link in state.links}
        self._objects = {item.id: item for item in state.nexthop_objects}

    @cached_property
    def _tables(self) -> dict[str, dict[int, dict[int, list[Route]]]]:
        """Table to length to network to routes in the order in which they are tried."""
        tables: dict[str, dict[int, dict[int, list[Route]]]] = {}
        for route in (*self.state.routes, *self._own_addresses()):
            if route.family != self.family:
                continue
            prefix = ip_network(route.prefix, strict=False)
            nets = tables.setdefault(route.table, {}).setdefault(prefix.prefixlen, {})
            nets.setdefault(int(prefix.network_address), []).append(route)
        for lengths in tables.values():
            for nets in lengths.values():
                for routes in nets.values():
                    # fib_trie.c, fib_find_alias: a greater type of service first, then the smaller metric.
                    routes.sort(key=lambda route: (-tos_of(route.tos), route.metric))
        return {table: dict(sorted(lengths.items(), reverse=True)) for table, lengths in tables.items()}

    def _own_addresses(self) -> Iterator[Route]:
        """Routes of the local table for a state that does not hold that table."""
        if any(
            route.family == self.family and route.table == LOCAL and route.type == "local"
            for route in self.state.routes
        ):
            return
        for link in self.state.links:
            for address in link.addresses:
                if address.family == self.family and (link.up or self.family == "ip"):
                    prefix = f"{address.address}/{self.bits}"
                    if address.address.startswith("127."):
                        prefix = "127.0.0.0/8"
                    yield Route(
                        family=self.family, table=LOCAL, prefix=prefix, type="local", scope="host",
                        nexthops=(NextHop(link=link.name),),
                    )  # fmt: skip

    def networks(self, table: str) -> Iterator[tuple[int, int]]:
        """Network and length of every prefix that the table has a route for."""
        return ((net, length) for length, nets in self._tables.get(table, {}).items() for net in nets)

    def leads_narrowly(self, address: int, least: int) -> bool:
        """Whether some table has a route of at least that length for the address."""
        return any(
            length >= least and address >> self.bits - length << self.bits - length in nets
            for lengths in self._tables.values()
            for length, nets in lengths.items()
        )

    @cached_property
    def has_realms(self) -> bool:
        """Routes with realms make the kernel look up every source (fib_num_tclassid_users)."""
        return any("realms" in route.options for route in self.state.routes if route.family == self.family)

    @cached_property
    def takes_apart(self) -> bool:
        """Whether arriving packets are read up to their ports; a rule for `iif lo` does not ask for it.

        include/net/fib_rules.h, fib_rule_requires_fldissect (measured).
        """
        return any((rule.ipproto or rule.sport or rule.dport) and rule.iif != LOOPBACK for rule in self.rules)

    @cached_property
    def has_custom_rules(self) -> bool:
        """More than the kernel's own rules (fib4_has_custom_rules)."""
        usual = {(0, LOCAL), (32766, MAIN), (32767, "253")}
        return any(
            (rule.preference, rule.table) not in usual
            or rule.source
            or rule.fwmark
            or rule.iif
            or rule.inverted
            for rule in self.rules
        )

    @cached_property
    def has_custom_local_routes(self) -> bool:
        """Somebody wrote a local route himself, or one stands in another table (fib_frontend.c, ip_fib_add)."""
        return any(
            route.type == "local" and (route.table != LOCAL or route.protocol not in {"kernel", ""})
            for route in self.state.routes
            if route.family == self.family
        )

    def lookup(self, query: Query, ask: Ask, *, ignore_linkstate: bool = False) -> Found:
        """The route of a packet."""
        place = 0
        while place < len(self.rules):
            rule = self.rules[place]
            place += 1
            if not self._selects(rule, query, ask):
                continue
            match rule.action:
                case "lookup":
                    found = self.in_table(rule.table, query, ignore_linkstate=ignore_linkstate)
                    if found is None or self._suppressed(rule, found):
                        continue
                    return replace(found, rule=rule)
                case "goto":
                    # An unresolved target is skipped (fib_rules.c, fib_rules_lookup).
                    targets = (i for i, other in enumerate(self.rules) if other.preference == rule.goto)
                    place = max(place, next(targets, place))
                case "nop":
                    continue
                case _:
                    return Found(rule.action, rule=rule)
        return Found("none")

    def _suppressed(self, rule: PolicyRule, found: Found) -> bool:
        # fib_rules.c, fib4_rule_suppress: what is left out goes on with the next rule.
        if found.route is None or found.type in ERRORS:
            return False
        length = int(found.route.prefix.rpartition("/")[2])
        if rule.suppress_prefixlength is not None and length <= rule.suppress_prefixlength:
            return True
        if rule.suppress_ifgroup:
            groups = {self._links[leg.link].group for leg in found.legs if leg.link in self._links}
            return rule.suppress_ifgroup in groups
        return False

    def _selects(self, rule: PolicyRule, query: Query, ask: Ask) -> bool:
        answers = tuple(selectors(rule, query, self.bits))
        if False in answers:
            return rule.inverted
        if None in answers:
            text = f"policy rule {rule.preference} looks at something that is not known"
            return ask(("policy rule", rule.preference, query), text) != rule.inverted
        return not rule.inverted

    def in_table(self, table: str, query: Query, *, ignore_linkstate: bool = False) -> Found | None:
        """The best route of one table; None when the next rule is to be asked."""
        for length, nets in self._tables.get(table, {}).items():
            routes = nets.get(query.destination >> self.bits - length << self.bits - length)
            for route in routes or ():
                found = self._usable(route, query, ignore_linkstate=ignore_linkstate)
                if found is not None:
                    return None if found.type == "throw" else found
        return None

    def _usable(self, route: Route, query: Query, *, ignore_linkstate: bool) -> Found | None:
        if self.family == "ip" and tos_of(route.tos) and tos_of(route.tos) != query.tos & OLD_TOS:
            return None
        source = route.options.get("from")
        if source and not within(query.source, source, self.bits):
            return None
        if route.type in ERRORS or route.type == "throw":
            return Found(route.type, route)
        if self._is_lost(route):
            return Found(route.type, route, lost=True)
        legs = self.hops(route)
        if legs is None:
            return Found("blackhole", route)
        # What is local never dies with its link (fib_semantics.c, fib_sync_down_dev; ip6_fib.c, fib6_ifdown; measured).
        alive = tuple(
            leg
            for leg in legs
            if route.type == "local" or self._alive(leg, ignore_linkstate=ignore_linkstate)
        )
        if query.oif:
            alive = tuple(leg for leg in alive if leg.link == query.oif)
        return Found(route.type, route, alive) if alive or (not legs and not query.oif) else None

    def _is_lost(self, route: Route) -> bool:
        """Whether it takes a nexthop object that the state does not hold."""
        if route.nexthops or route.nexthop_id is None:
            return False
        item = self._objects.get(route.nexthop_id)
        return item is None or any(member not in self._objects for member, _ in item.group)

    def hops(self, route: Route) -> tuple[NextHop, ...] | None:
        """The next hops, those of a nexthop object too; None when that discards."""
        if route.nexthops or route.nexthop_id is None:
            return route.nexthops
        item = self._objects.get(route.nexthop_id)
        if item is None:
            return ()
        if item.blackhole:
            return None
        members = [(self._objects.get(number_), weight) for number_, weight in item.group]
        if not members:
            return (item.hop,)
        return tuple(
            member.hop.model_copy(update={"weight": weight})
            for member, weight in members
            if member is not None and not member.blackhole
        )

    def _alive(self, leg: NextHop, *, ignore_linkstate: bool) -> bool:
        """Down is dead; without carrier only where it is said so (fib_trie.c, fib_table_lookup)."""
        link = self._links.get(leg.link)
        if link is None:
            return not self._links or self.state.gap("links") is not None
        if not link.up:
            return False
        if link.carrier or ignore_linkstate:
            return True
        version = "ipv4" if self.family == "ip" else "ipv6"
        own = sysctl_number(self.state.sysctls.get(conf(version, link.name, "ignore_routes_with_linkdown")))
        everywhere = sysctl_number(self.state.sysctls.get(conf(version, ALL, "ignore_routes_with_linkdown")))
        return not (own or (everywhere and self.family == "ip"))

    def local_type(self, address: int, *, link: str = "") -> str:
        """What the local table says of an address: local, broadcast, multicast, anycast or unicast."""
        # fib_frontend.c, __inet_dev_addr_type: that one table only, whatever the policy rules say.
        if self.family == "ip":
            if address == 0xFFFFFFFF or address >> 24 == 0:
                return "broadcast"
            if address >> 28 == 0xE:
                return "multicast"
        elif address >> 120 == 0xFF:
            return "multicast"
        found = self.in_table(LOCAL, Query(address))
        if found is None or found.type not in {"local", "broadcast", "anycast", "multicast"}:
            return "unicast"
        if link and all(leg.link != link for leg in found.legs):
            return "unicast"
        return found.type


def _usual(family: str) -> Iterator[PolicyRule]:
    """The kernel's own rules, for a state that holds none."""
    yield PolicyRule(family=family, preference=0, table=LOCAL)
    yield PolicyRule(family=family, preference=32766, table=MAIN)
    if family == "ip":
        yield PolicyRule(family=family, preference=32767, table="253")

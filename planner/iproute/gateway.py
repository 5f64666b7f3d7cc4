"""Whether a gateway is reached directly, and over which link: the lookup the kernel does before it takes a next hop."""

import ipaddress
from collections.abc import Iterator

from planner.iproute.world import World
from planner.models.route import DEFAULT, LOCAL, MAIN, PolicyRule, Route

SELECTORS = ("source", "iif", "fwmark", "tos", "ipproto", "sport", "dport", "uidrange")
"""What the lookup does not have: no source, no mark, no ports. A rule that asks for one does not match."""
REFUSING = frozenset({"blackhole", "unreachable", "prohibit"})


def on_link(world: World, gateway: str, link: str, table: str) -> str:
    """The link on which a gateway is reached directly, empty when there is none."""
    address = ipaddress.ip_address(gateway)
    family = "ip6" if address.version == 6 else "ip"
    for candidate, suppressed in tables(world, gateway, family, link, table):
        route = best(world, gateway, family, link, candidate)
        if route is None:
            continue
        if ipaddress.ip_network(route.prefix).prefixlen <= suppressed:
            continue
        return link or route.nexthops[0].link
    return ""


def tables(world: World, gateway: str, family: str, link: str, table: str) -> Iterator[tuple[str, int]]:
    """Tables in the order of the lookup, each with the prefix length that the rule suppresses.

    First the route's own table, unless it is main; then what the policy rules say (net/ipv4/fib_semantics.c,
    fib_check_nh_v4_gw). IPv6 looks in the route's own table whichever it is (net/ipv6/route.c, ip6_route_check_nh).
    """
    if family == "ip6" or table != MAIN:
        yield table, -1
    rules = [rule for rule in world.rules if rule.family == family]
    if not rules:
        yield from ((known, -1) for known in (LOCAL, MAIN, DEFAULT))
        return
    wanted = 0
    for rule in rules:
        if rule.preference < wanted or not applies(rule, gateway, link):
            continue
        if rule.action == "goto":
            wanted = rule.goto or 0
        elif rule.action in REFUSING:
            return
        elif rule.action == "lookup" and rule.table:
            yield rule.table, -1 if rule.suppress_prefixlength is None else rule.suppress_prefixlength


def applies(rule: PolicyRule, gateway: str, link: str) -> bool:
    """Whether a rule matches a packet to the gateway that has nothing else yet."""
    matched = (
        not any(getattr(rule, name) for name in SELECTORS)
        and (not rule.oif or rule.oif == link)
        and (
            not rule.destination
            or ipaddress.ip_address(gateway) in ipaddress.ip_network(rule.destination, strict=False)
        )
    )
    return matched != rule.inverted


def best(world: World, gateway: str, family: str, link: str, table: str) -> Route | None:
    """The longest on-link prefix of one table: the lookup is done with scope link and sees no routes via gateways."""
    address = ipaddress.ip_address(gateway)
    found: Route | None = None
    for route in world.routes:
        if route.family != family or route.table != table or route.type not in {"unicast", "local"}:
            continue
        if not route.nexthops or any(hop.via for hop in route.nexthops):
            continue
        if link and route.nexthops[0].link != link and route.type != "local":
            continue
        prefix = ipaddress.ip_network(route.prefix)
        if address in prefix and (
            found is None or prefix.prefixlen > ipaddress.ip_network(found.prefix).prefixlen
        ):
            found = route
    return found

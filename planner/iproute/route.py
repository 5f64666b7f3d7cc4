"""`ip route add|append|prepend|change|replace|delete|flush`."""

import ipaddress
from collections.abc import Callable, Sequence

from planner.iproute.connected import MINIMUM_MTU6
from planner.iproute.events import hops_of
from planner.iproute.gateway import on_link
from planner.iproute.grammar import family_of
from planner.iproute.world import NotModelledError, RefusedError, World
from planner.models.route import LOCAL, MAIN, NextHop, Route
from planner.parse.ip_names import (
    DISCARDING,
    IPV6_ROUTE_METRIC,
    TYPE_NAMES,
    NotUnderstoodError,
    prefix_text,
    protocol_name,
    scope_name,
    table_number,
)
from planner.parse.ip_words import AFTER_HOPS, parse_route_words

EXISTS = "RTNETLINK answers: File exists"
NO_PROCESS = "RTNETLINK answers: No such process"
NO_FILE = "RTNETLINK answers: No such file or directory"
LOCAL_TYPES = frozenset({"local", "broadcast", "nat", "anycast"})
"""Types that go to table local where none is named (iproute2, ip/iproute.c, iproute_modify)."""


def run_route(world: World, action: str, words: Sequence[str], family: str) -> None:
    """One command; what it cannot do is raised."""
    if action == "flush":
        flush(world, words, family)
        return
    if not words:
        raise RefusedError('Command line is not complete. Try option "help"')
    family = family or family_of(words)
    try:
        route = parse_route_words(words, family)
    except NotUnderstoodError as error:
        if str(error).startswith(AFTER_HOPS):
            raise RefusedError(f"Error: {error}") from error
        raise
    if not any(word and "table".startswith(word) for word in words):
        route = route.model_copy(update={"table": LOCAL if route.type in LOCAL_TYPES else MAIN})
    for hop in route.nexthops:
        if hop.link:
            world.need_link(hop.link)
    if action == "delete":
        delete(world, route, stated_type=any(word in TYPE_NAMES for word in words))
        return
    write(world, action, completed(world, route))


def named(world: World, hop: NextHop) -> NextHop:
    """The same hop with the link's own name in place of an alternative one."""
    link = world.link(hop.link) if hop.link else None
    return hop.model_copy(update={"link": link.name}) if link is not None else hop


def network(route: Route) -> str:
    """The prefix as the kernel keeps it: IPv4 refuses host bits, IPv6 clears them (measured)."""
    found = str(ipaddress.ip_network(route.prefix, strict=False))
    if route.family == "ip" and found != route.prefix:
        raise RefusedError("Error: Invalid prefix for given prefix length.")
    return found


def completed(world: World, route: Route) -> Route:
    """The route that the kernel makes of the words, checked like it does."""
    update: dict[str, object] = {"prefix": network(route)}
    if not route.protocol:
        update["protocol"] = "boot"
    if route.family == "ip6" and route.metric == 0:
        update["metric"] = IPV6_ROUTE_METRIC
    if route.family == "ip" and not route.scope:
        update["scope"] = default_scope(route)
    hops = tuple(named(world, hop) for hop in route.nexthops)
    if route.nexthop_id is not None:
        item = world.nexthop(route.nexthop_id)
        if item is None:
            raise RefusedError("Error: Nexthop id does not exist.")
        hops = hops_of(world, item)
    elif route.type in DISCARDING:
        hops = ()
    else:
        if not hops:
            raise RefusedError("RTNETLINK answers: No such device")
        scope = str(update.get("scope", route.scope))
        hops = tuple(checked(world, hop, route.family, route.table, scope) for hop in hops)
    if route.source and not any(a.address == route.source for link in world.links for a in link.addresses):
        raise RefusedError(
            "Error: Invalid prefsrc address." if route.family == "ip" else "Error: Invalid source address."
        )
    return route.model_copy(update={**update, "nexthops": hops})


def default_scope(route: Route) -> str:
    """Scope of an IPv4 route whose words name none (iproute2, ip/iproute.c, iproute_modify)."""
    if route.type in {"local", "nat"}:
        return "host"
    if route.type in {"broadcast", "multicast", "anycast"}:
        return "link"
    through = (
        any(hop.via for hop in route.nexthops) or len(route.nexthops) > 1 or route.nexthop_id is not None
    )
    return "global" if through or route.type in DISCARDING else "link"


def checked(world: World, hop: NextHop, family: str, table: str, scope: str) -> NextHop:
    """The hop with its link, when the kernel would take it."""
    six = (hop.via_family or family) == "ip6"
    link = world.link(hop.link) if hop.link else None
    if link is not None and family == "ip6" and link.mtu < MINIMUM_MTU6:
        raise RefusedError("RTNETLINK answers: No such device")
    if not hop.via:
        if link is not None and not link.up and scope != "host":
            raise RefusedError(f"Error: {'Nexthop device' if six else 'Device for nexthop'} is not up.")
        return hop
    if six and ipaddress.ip_address(hop.via).is_link_local and not hop.link:
        raise RefusedError("Error: Egress device not specified.")
    own = any(address.address == hop.via for one in world.links for address in one.addresses)
    if six and own:
        raise RefusedError("Error: Gateway can not be a local address.")
    if link is not None and not link.up:
        raise RefusedError(
            "RTNETLINK answers: No route to host" if six else "Error: Nexthop has invalid gateway."
        )
    if hop.onlink:
        if link is None:
            raise RefusedError("Error: Nexthop device required for onlink.")
        return hop
    if six and ipaddress.ip_address(hop.via).is_link_local:
        return hop
    found = on_link(world, hop.via, hop.link, table)
    if not found:
        raise RefusedError(
            "RTNETLINK answers: No route to host" if six else "Error: Nexthop has invalid gateway."
        )
    return hop.model_copy(update={"link": found})


def key(route: Route) -> tuple[str, str, str, str, int]:
    """What tells two routes of one table apart in the kernel."""
    return route.family, route.table, route.prefix, route.tos, route.metric


def write(world: World, action: str, route: Route) -> None:
    """Add, append, prepend, change or replace."""
    same = [other for other in world.routes if key(other) == key(route)]
    if action in {"change", "replace"} and same:
        world.replace_route(same[0], route)
        return
    if action == "change":
        raise RefusedError(
            NO_FILE if route.family == "ip" else "Error: Can not replace route - no match found."
        )
    if action == "add" and same:
        raise RefusedError(EXISTS)
    if action in {"append", "prepend"}:
        if route in same:
            raise RefusedError(EXISTS)
        if route.family == "ip6" and joined(world, same, route):
            return
    world.add_route(route, at=place(world, route, first=action == "prepend"))


def joined(world: World, same: list[Route], route: Route) -> bool:
    """IPv6 gateways of one metric become one multipath route (net/ipv6/ip6_fib.c, rt6_qualify_for_ecmp)."""
    if len(route.nexthops) != 1 or not route.nexthops[0].via or route.nexthop_id is not None:
        return False
    for other in same:
        if other.nexthops and all(hop.via for hop in other.nexthops) and other.nexthop_id is None:
            if route.nexthops[0] in other.nexthops:
                raise RefusedError(EXISTS)
            world.replace_route(
                other, other.model_copy(update={"nexthops": (*other.nexthops, *route.nexthops)})
            )
            return True
    return False


def place(world: World, route: Route, *, first: bool) -> int:
    """Where the kernel prints it among routes to the same prefix: by metric, the newest of equals last."""
    at = len(world.routes)
    for index, other in enumerate(world.routes):
        if (other.family, other.table, other.prefix, other.tos) != key(route)[:4]:
            continue
        if other.metric > route.metric or (first and other.metric == route.metric):
            return index
        at = index + 1
    return at


def delete(world: World, wanted: Route, *, stated_type: bool) -> None:
    """The first route that has everything the words name."""
    prefix = str(ipaddress.ip_network(wanted.prefix, strict=False))
    for route in world.routes:
        if (route.family, route.table, route.prefix, route.tos) != (
            wanted.family,
            wanted.table,
            prefix,
            wanted.tos,
        ):
            continue
        if matches(world, route, wanted, stated_type=stated_type):
            hops = tuple(hop for hop in route.nexthops if not _same_hop(hop, wanted))
            if (
                route.family == "ip6"
                and wanted.nexthops
                and wanted.nexthops[0].via
                and hops
                and len(wanted.nexthops) == 1
            ):
                # IPv6 takes one gateway out of a multipath route (net/ipv6/route.c, ip6_route_del).
                world.replace_route(route, route.model_copy(update={"nexthops": hops}))
            else:
                _drop_one(world, route)
            return
    raise RefusedError(NO_PROCESS)


def _drop_one(world: World, gone: Route) -> None:
    world.drop_routes(lambda other: other is gone)


def _same_hop(hop: NextHop, wanted: Route) -> bool:
    return any(_hop_matches(hop, other) for other in wanted.nexthops)


def _hop_matches(hop: NextHop, wanted: NextHop) -> bool:
    return (not wanted.via or hop.via == wanted.via) and (not wanted.link or hop.link == wanted.link)


def matches(world: World, route: Route, wanted: Route, *, stated_type: bool) -> bool:
    """Whether a route has everything that a deletion names (net/ipv4/fib_trie.c, fib_table_delete)."""
    hops = tuple(named(world, hop) for hop in wanted.nexthops)
    if stated_type and wanted.type != route.type and route.family == "ip":
        return False
    pairs = (
        (wanted.metric, route.metric),
        (wanted.protocol, route.protocol),
        (wanted.scope, route.scope),
        (wanted.source, route.source),
        (wanted.nexthop_id, route.nexthop_id),
    )
    if any(value and value != other for value, other in pairs):
        return False
    if len(hops) > 1:
        return len(hops) == len(route.nexthops) and all(
            any(_hop_matches(hop, other) for hop in route.nexthops) for other in hops
        )
    return not hops or any(_hop_matches(hop, hops[0]) for hop in route.nexthops)


def flush(world: World, words: Sequence[str], family: str) -> None:
    """`ip route flush SELECTOR`: everything that `show` would print with the same words."""
    if not words:
        raise RefusedError('"ip route flush" requires arguments.')
    chosen = {"table": MAIN}
    root, match = "", ""
    at = 0
    while at < len(words):
        word = words[at]
        value = words[at + 1] if at + 1 < len(words) else ""
        if word == "cache":
            return  # There is no route cache to empty since Linux 3.6.
        if word in {"table", "proto", "protocol", "scope", "type", "dev", "oif", "via", "src"} and value:
            chosen[{"protocol": "proto", "oif": "dev"}.get(word, word)] = value
            at += 2
            continue
        if word in {"root", "exact", "match", "to"} and value:
            if word == "exact" or (word == "to" and value not in {"root", "match", "exact"}):
                root = match = value
            elif word == "root":
                root = value
            elif word == "match":
                match = value
            at += 2 if word != "to" or value not in {"root", "match", "exact"} else 1
            continue
        if at == 0 or not root:
            prefix_text(word, family or family_of(words))
            root = match = word
            at += 1
            continue
        raise NotModelledError(f"`{word}` of `ip route flush`")
    families = {family} if family else {family_of(words)} if root or match or "via" in chosen else {"ip"}
    table = table_number(chosen.pop("table"))
    for one in sorted(families):
        world.drop_routes(
            lambda route, one=one: (
                route.family == one  # type: ignore[misc]
                and table in {route.table, "all", "0"}
                and (not root or _inside(route.prefix, prefix_text(root, one)))
                and (not match or _inside(prefix_text(match, one), route.prefix))
                and _chosen(route, chosen)
            )
        )


def _flush_family(
    world: World, family: str, table: str, ends: tuple[str, str], chosen: dict[str, str]
) -> None:
    root, match = (prefix_text(end, family) if end else "" for end in ends)
    world.drop_routes(
        lambda route: (
            route.family == family
            and table in {route.table, "all", "0"}
            and (not root or _inside(route.prefix, root))
            and (not match or _inside(match, route.prefix))
            and _chosen(route, chosen)
        )
    )


def _inside(prefix: str, outer: str) -> bool:
    small, large = (ipaddress.ip_network(part, strict=False) for part in (prefix, outer))
    return small.prefixlen >= large.prefixlen and small.network_address in large


def _chosen(route: Route, chosen: dict[str, str]) -> bool:
    held = {
        "proto": {route.protocol},
        "scope": {route.scope},
        "type": {route.type},
        "dev": {hop.link for hop in route.nexthops},
        "via": {hop.via for hop in route.nexthops},
        "src": {route.source},
    }
    normal: dict[str, Callable[[str], str]] = {
        "proto": protocol_name,
        "scope": scope_name,
        "src": lambda value: value.partition("/")[0],
    }
    return all(normal.get(name, str)(value) in held[name] for name, value in chosen.items())

"""The routes that the kernel makes by itself for the addresses of a link."""

import ipaddress
from collections.abc import Collection, Iterator

from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import LOCAL, MAIN, NextHop, Route

MINIMUM_MTU6 = 1280
"""Below it a link has no IPv6 at all (IPV6_MIN_MTU, include/uapi/linux/ipv6.h)."""


def subnet(address: Address) -> str:
    """The prefix that the address makes reachable on its link: that of the peer where there is one."""
    base = address.peer or address.address
    return str(ipaddress.ip_network(f"{base}/{address.length}", strict=False))


def _route(link: Link, prefix: str, table: str, type_: str, scope: str, source: str, metric: int) -> Route:
    return Route(
        family="ip6" if ":" in prefix else "ip",
        table=table,
        prefix=prefix,
        type=type_,
        metric=metric,
        protocol="kernel",
        scope=scope,
        source=source,
        nexthops=(NextHop(link=link.name),),
    )


def primary_of(address: Address, link: Link) -> Address:
    """The primary address of a secondary's subnet; the address itself when it is one."""
    if not address.secondary:
        return address
    for other in link.addresses:
        if (
            not other.secondary
            and other.family == "ip"
            and other.length == address.length
            and subnet(other) == subnet(address)
        ):
            return other
    return address


def routes4(link: Link) -> tuple[Route, ...]:
    """IPv4 (net/ipv4/fib_frontend.c, fib_add_ifaddr): the local address always, the rest while the link is up."""
    found: list[Route] = []
    for address in link.addresses:
        if address.family == "ip":
            found += [route for route in _routes4(link, address) if route not in found]
    return tuple(found)


def _routes4(link: Link, address: Address) -> Iterator[Route]:
    source = primary_of(address, link).address
    yield _route(link, f"{address.address}/32", LOCAL, "local", "host", source, 0)
    if not link.up:
        return
    if address.broadcast and address.broadcast != "255.255.255.255":
        yield _route(link, f"{address.broadcast}/32", LOCAL, "broadcast", "link", source, 0)
    network = ipaddress.IPv4Network(subnet(address))
    host_only = address.length == 32 and not address.peer
    if address.secondary or host_only or network.network_address in ipaddress.IPv4Network("0.0.0.0/8"):
        return
    if not address.noprefixroute:
        loopback = link.kind == "loopback"
        yield _route(
            link,
            str(network),
            LOCAL if loopback else MAIN,
            "local" if loopback else "unicast",
            "host" if loopback else "link",
            source,
            address.metric or 0,
        )
    if address.length < 31:
        yield _route(link, f"{network.broadcast_address}/32", LOCAL, "broadcast", "link", source, 0)


def local6(link: Link, address: Address) -> Route:
    """The route that takes packets to an own IPv6 address in."""
    return _route(link, f"{address.address}/128", LOCAL, "local", "", "", 0)


def prefix6(link: Link, address: Address) -> tuple[Route, ...]:
    """The prefix of an IPv6 address, and its peer (net/ipv6/addrconf.c, inet6_addr_modify and add_addr)."""
    if link.kind == "loopback":
        return ()
    found: list[Route] = []
    own = str(ipaddress.ip_network(f"{address.address}/{address.length}", strict=False))
    metric = address.metric or 256
    if not address.noprefixroute:
        found.append(_route(link, own, MAIN, "unicast", "", "", metric))
    if address.peer:
        found.append(_route(link, f"{address.peer}/128", MAIN, "unicast", "", "", metric))
    return tuple(found)


def multicast6(link: Link) -> Route:
    """The multicast range of a link that is up and has IPv6."""
    return _route(link, "ff00::/8", LOCAL, "multicast", "", "", 256)


def link_local(mac: str) -> str:
    """The modified EUI-64 address of a MAC (RFC 4291, appendix A), empty for another kind of hardware address."""
    parts = mac.split(":")
    if len(parts) != 6:
        return ""
    try:
        octets = [int(part, 16) for part in parts]
    except ValueError:
        return ""
    if not any(octets):
        return ""
    octets = [octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes(octets)))


def joined(route: Route) -> bool:
    """Whether the kernel keeps it for a group that it has joined as a router (net/ipv6/addrconf.c, addrconf_join_anycast).

    It comes and goes with its address. Written by a command it is another route, of another metric (measured).
    """
    return (route.family, route.type, route.protocol) == ("ip6", "anycast", "kernel")


def without_local_route(state: NodeState) -> frozenset[tuple[str, str]]:
    """Prefix and link of the IPv6 addresses in a state that lack the kernel's local route.

    An address gets it when the detection of duplicates has ended (net/ipv6/addrconf.c, addrconf_dad_completed; measured),
    which nobody has to bring about or to take back: the state was recorded before.
    """
    recorded = {
        (route.prefix, hop.link)
        for route in state.routes
        if route.family == "ip6" and route.table == LOCAL
        for hop in route.nexthops
    }
    held = {
        (f"{address.address}/128", link.name)
        for link in state.links
        if link.up
        for address in link.addresses
        if address.family == "ip6"
    }
    return frozenset(held - recorded)


def is_local_of(route: Route, addresses: Collection[tuple[str, str]]) -> bool:
    """Whether it is the kernel's local route of one of these addresses: prefix and link of each."""
    return (
        route.table == LOCAL
        and (route.type, route.protocol) == ("local", "kernel")
        and len(route.nexthops) == 1
        and (route.prefix, route.nexthops[0].link) in addresses
    )

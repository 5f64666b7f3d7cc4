"""What the kernel decides when a packet is routed: in from a link, out from the node, or once more after a rewrite."""

from dataclasses import replace

from planner.dataplane import gaps
from planner.dataplane.packet import Packet
from planner.dataplane.query import LOOPBACK, Found, Query, query_of
from planner.dataplane.reverse_path import check_source
from planner.dataplane.walk import End, Walk
from planner.models.flow import Disposition
from planner.models.route import NextHop
from planner.sysctls.names import ALL, conf

ERRORS = {
    "none": (Disposition.NO_ROUTE, {"ip": "net-unreachable", "ip6": "no-route"}),
    "blackhole": (Disposition.BLACKHOLE, {"ip": "", "ip6": ""}),
    "unreachable": (Disposition.UNREACHABLE, {"ip": "host-unreachable", "ip6": "no-route"}),
    "prohibit": (Disposition.UNREACHABLE, {"ip": "admin-prohibited", "ip6": "admin-prohibited"}),
}
"""net/ipv4/route.c, ip_error; net/ipv6/route.c, ip6_rt_init_dst_reject (both measured)."""


def told(packet: Packet, kind: str) -> str:
    """The error that is sent back, or none: there are no errors about errors (net/ipv4/icmp.c, __icmp_send)."""
    return "" if packet.is_error or packet.broadcast else kind


def look_up(walk: Walk, query: Query) -> Found | End:
    """The route, with a doubt where routes or rules are not known."""
    family = walk.packet.family
    for section in (gaps.routes(family), gaps.policy_rules(family)):
        reason = walk.view.missing(section)
        if reason and (end := walk.doubt(reason)):
            return end
    found = walk.view.fib(family).lookup(query, walk.choices.undecided)
    walk.tell(str(found), stage="routing")
    if (
        found.rule is not None
        and "l3mdev" in found.rule.options
        and (end := walk.doubt("a VRF is not modelled"))
    ):
        return end
    if found.lost and (
        end := walk.doubt(f"the route {found} takes a nexthop object that is not in the snapshot")
    ):
        return end
    return found


def _arriving(walk: Walk) -> Query:
    """The lookup of a packet that came by a link: without protocol and ports unless a rule asks for them."""
    packet = walk.packet
    query = query_of(packet)
    if packet.family == "ip" and not walk.view.fib("ip").takes_apart:
        return replace(query, protocol=0, source_port=0, destination_port=0)
    return query


def choose(walk: Walk, found: Found) -> NextHop:
    """One of several next hops: the kernel hashes the flow with a seed that nobody knows."""
    legs = found.legs
    if not legs:
        return NextHop()
    rest = sum(leg.weight for leg in legs)
    prefix = found.route.prefix if found.route else ""
    for place, leg in enumerate(legs[:-1]):
        text = f"route {prefix} {'via ' + leg.via if leg.via else 'dev ' + leg.link}"
        if walk.choices.draw(("route", prefix, place), text, leg.weight / rest):
            return leg
        rest -= leg.weight
    return legs[-1]


def failed(walk: Walk, found: Found, *, rule_error: bool = False) -> End:
    """The end that a lookup without a usable route means."""
    kind = found.type if found.type in ERRORS else "none"
    disposition, kinds = ERRORS[kind]
    reject = kinds[walk.packet.family]
    if rule_error and kind == "unreachable" and walk.packet.family == "ip":
        # A rule says ENETUNREACH where a route says EHOSTUNREACH (net/ipv4/fib_rules.c, fib4_rule_action).
        reject = "net-unreachable"
    reason = str(found)
    return End(disposition, "" if reason == disposition.value else reason, told(walk.packet, reject))


BROADCASTS = "forwarding of broadcasts (bc_forwarding) is not modelled"


def forwards(walk: Walk) -> bool:
    """Whether the link that it came by forwards; for IPv6 whether the node does."""
    packet, view = walk.packet, walk.view
    if packet.family == "ip":
        key = conf("ipv4", packet.in_link, "forwarding")
        value = view.value(key)
    else:
        # net/ipv6/ip6_output.c, ip6_forward: for all, or the link is told to all the same (force_forwarding, since 6.17).
        key = conf("ipv6", ALL, "forwarding")
        value = view.value(key)
        if not value and view.value(conf("ipv6", packet.in_link, "force_forwarding")):
            return True
    if value is None:
        return walk.choices.undecided(key, f"{key} is not in the snapshot")
    return value != 0


def no_forwarding(walk: Walk) -> End:
    """Silence."""
    packet = walk.packet
    key = (
        conf("ipv4", packet.in_link, "forwarding")
        if packet.family == "ip"
        else conf("ipv6", ALL, "forwarding")
    )
    return End(Disposition.NO_FORWARDING, f"{key}=0")


def route_in(walk: Walk) -> tuple[Found, NextHop] | End:
    """Where a packet goes that came by a link: found as `local`, `broadcast`, `multicast` or `unicast`."""
    return _route_in4(walk) if walk.packet.family == "ip" else _routed6(walk)


def _route_in4(walk: Walk) -> tuple[Found, NextHop] | End:
    """net/ipv4/route.c, ip_route_input_slow, in its order."""
    packet = walk.packet
    if packet.destination >> 28 == 0xE:
        return _multicast4(walk)
    end = _martian4(walk)
    if end is not None:
        return end
    if packet.destination == 0xFFFFFFFF:
        return _broadcast(walk, Found("broadcast"))
    found = look_up(walk, _arriving(walk))
    if isinstance(found, End):
        return found
    match found.type:
        case "local":
            end = check_source(walk, "")
            return end or (found, NextHop(link="lo"))
        case "broadcast" if walk.view.forwards_broadcasts(packet.in_link):
            return End(Disposition.UNKNOWN, BROADCASTS)
        case "broadcast":
            return _broadcast(walk, found)
        case "unicast":
            if not forwards(walk):
                return no_forwarding(walk)
            leg = choose(walk, found)
            end = check_source(walk, leg.link)
            return end or (found, leg)
        case "none" | "blackhole" | "unreachable" | "prohibit":
            return (
                failed(walk, found, rule_error=found.route is None) if forwards(walk) else no_forwarding(walk)
            )
        case _:
            return End(Disposition.MARTIAN, f"the destination is {found}")


def _martian4(walk: Walk) -> End | None:
    packet = walk.packet
    source, destination, link = packet.source, packet.destination, packet.in_link
    if source >> 28 == 0xE or source == 0xFFFFFFFF:
        return End(Disposition.MARTIAN, f"the source {packet.address(source)} is no host's")
    if destination == 0xFFFFFFFF or source == destination == 0:
        return None
    network = walk.view.zero_network
    if source >> (32 - network) == 0 or destination >> (32 - network) == 0:
        return End(Disposition.MARTIAN, f"an address in 0.0.0.0/{network}")
    for address in (destination, source):
        if address >> 24 == 127:
            if walk.setting("route_localnet", link, "decides about loopback addresses from outside"):
                return None
            reason = f"{packet.address(address)} came by {link}, where route_localnet is 0"
            return End(Disposition.MARTIAN, reason)
    return None


def _broadcast(walk: Walk, found: Found) -> tuple[Found, NextHop] | End:
    walk.change(broadcast=True)
    if walk.packet.source >> (32 - walk.view.zero_network):
        end = check_source(walk, "")
        if end is not None:
            return end
    return found, NextHop(link="lo")


def _multicast4(walk: Walk) -> tuple[Found, NextHop] | End:
    # 224.0.0.1 is joined on every link (net/ipv4/igmp.c, ip_mc_up); other groups are not in a snapshot.
    if walk.packet.destination == 0xE0000001:
        return Found("multicast"), NextHop(link="lo")
    return End(Disposition.UNKNOWN, "which multicast groups are joined is not in the snapshot")


def route_in6(walk: Walk) -> tuple[Found, NextHop] | End:
    """net/ipv6/ip6_input.c, ip6_rcv_core and net/ipv6/route.c, ip6_route_input: the source is not checked."""
    packet = walk.packet
    if packet.destination >> 120 == 0xFF:
        if packet.destination == 0xFF020000000000000000000000000001:
            return Found("multicast"), NextHop(link="lo")
        return End(Disposition.UNKNOWN, "which multicast groups are joined is not in the snapshot")
    query = query_of(packet)
    if packet.destination >> 118 == 0x3FA or packet.destination == 1:
        # rt6_need_strict: such a destination has a route only by the link that it came by.
        query = replace(query, oif=packet.in_link)
    found = look_up(walk, query)
    if isinstance(found, End):
        return found
    if found.type in {"local", "anycast"}:
        return found, NextHop(link="lo")
    if found.type != "unicast":
        return failed(walk, found)
    return found, choose(walk, found)


def may_forward6(walk: Walk) -> End | None:
    """net/ipv6/ip6_output.c, ip6_forward: what a packet needs that is neither for the node nor bridged."""
    return None if forwards(walk) else no_forwarding(walk)


def may_leave6(walk: Walk, link: str) -> End | None:
    """Whether the source may leave by another link than the packet came by; by the same one any may (ip6_forward; measured)."""
    packet = walk.packet
    if packet.family == "ip" or link == packet.in_link:
        return None
    # "This check is security critical".
    if packet.source >> 120 == 0xFF or packet.source <= 1:
        return End(Disposition.MARTIAN, f"the source {packet.address(packet.source)} is no host's")
    if packet.source >> 118 == 0x3FA:
        return End(Disposition.MARTIAN, "a link-local source is not forwarded", told(packet, "beyond-scope"))
    return None


def _routed6(walk: Walk) -> tuple[Found, NextHop] | End:
    routed = route_in6(walk)
    if isinstance(routed, End) or routed[0].type != "unicast":
        return routed
    return may_forward6(walk) or routed


def route_out(walk: Walk, *, again: bool = False) -> tuple[Found, NextHop] | End:
    """Where a packet of the node goes."""
    found = look_up(walk, _again(walk) if again else query_of(walk.packet))
    if isinstance(found, End):
        return found
    if found.type in {"local", "anycast"}:
        return found, NextHop(link="lo")
    if found.type in {"unicast", "broadcast", "multicast"}:
        leg = choose(walk, found)
        end = _loopback_out(walk, leg.link)
        return end or (found, leg)
    return failed(walk, found, rule_error=found.route is None)


def _again(walk: Walk) -> Query:
    """The second lookup, of which ports are part only where a rule asks for them that is not for lo alone (measured).

    net/ipv4/netfilter.c, ip_route_me_harder sets no user; net/ipv6/netfilter.c, ip6_route_me_harder does.
    """
    query = query_of(walk.packet)
    if walk.packet.family == "ip":
        query = replace(query, user=0)
    if not walk.view.fib(walk.packet.family).takes_apart:
        query = replace(query, protocol=0, source_port=0, destination_port=0)
    return query


def _loopback_out(walk: Walk, link: str) -> End | None:
    """A loopback address may leave as source only where route_localnet says so (net/ipv4/route.c, __mkroute_output)."""
    packet = walk.packet
    if packet.family != "ip" or packet.source >> 24 != 127 or link in {"", LOOPBACK}:
        return None
    if walk.setting("route_localnet", link, "decides about loopback addresses that leave"):
        return None
    return End(
        Disposition.MARTIAN, f"{packet.address(packet.source)} may not leave by {link}: route_localnet is 0"
    )

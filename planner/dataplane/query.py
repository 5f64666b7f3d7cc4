"""A lookup in the routing tables: what it may look at, whether a policy rule is for it, and where it ended."""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.dataplane.packet import NO_MARK, Mark, Packet, number
from planner.models.route import NextHop, PolicyRule, Route
from planner.netfilter.kinds import protocol
from planner.netfilter.problem import RuleError

LOOPBACK = "lo"
OLD_TOS = 0x1C
"""Bits of the octet that IPv4 lookups see (include/net/ip_fib.h, fib_dscp_masked_match)."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a lookup may look at."""

    destination: int
    source: int = 0
    iif: str = LOOPBACK
    oif: str = ""
    mark: Mark = NO_MARK
    tos: int = 0
    protocol: int = 0
    source_port: int | None = 0
    destination_port: int | None = 0
    user: int | None = 0


@dataclass(frozen=True, slots=True)
class Found:
    """Where a lookup ended."""

    type: str
    """A route's type; `none` when nothing matched."""
    route: Route | None = None
    legs: tuple[NextHop, ...] = ()
    """Next hops that can be used."""
    rule: PolicyRule | None = None
    lost: bool = False
    """Takes a nexthop object that is not in the state."""

    def __str__(self) -> str:
        rule = self.rule
        by = (
            f", rule {rule.preference}"
            if rule is not None and rule.preference not in {0, 32766, 32767}
            else ""
        )
        if self.route is None:
            return (
                f"no route{by}"
                if self.type == "none"
                else f"{self.type} by rule{by[6:] or f' {rule.preference if rule else 0}'}"
            )
        kind = "" if self.route.type == "unicast" else f"{self.route.type} "
        legs = (
            " or ".join(_leg(leg) for leg in self.legs)
            if self.type in {"unicast", "local", "broadcast"}
            else ""
        )
        return (
            f"{kind}{self.route.prefix}{' ' + legs if legs else ''}, table {table_name(self.route.table)}{by}"
        )


def _leg(leg: NextHop) -> str:
    return f"{'via ' + leg.via + ' ' if leg.via else ''}dev {leg.link}"


def table_name(table: str) -> str:
    """The three that every system has."""
    return {"254": "main", "255": "local", "253": "default"}.get(table, table)


def query_of(packet: Packet) -> Query:
    """The lookup that a packet makes; the same when it is routed again (net/ipv4/netfilter.c, ip_route_me_harder)."""
    return Query(
        destination=packet.destination,
        source=packet.source,
        iif=packet.in_link or LOOPBACK,
        mark=packet.mark,
        tos=packet.tos,
        protocol=packet.protocol,
        source_port=packet.source_port,
        destination_port=packet.destination_port,
        user=packet.user if packet.local else 0,
    )


def selectors(rule: PolicyRule, query: Query, bits: int) -> Iterator[bool | None]:
    """For each part of a policy rule whether the lookup fits it; None where that is not known."""
    if rule.iif:
        yield rule.iif == query.iif
    if rule.oif:
        yield rule.oif == query.oif
    if rule.source:
        yield within(query.source, rule.source, bits)
    if rule.destination:
        yield within(query.destination, rule.destination, bits)
    if rule.fwmark:
        value, _, mask = rule.fwmark.partition("/")
        wanted, looked_at = int(value, 0), int(mask, 0) if mask else 0xFFFFFFFF
        # fib_rules.c, fib_rule_match: bits of the value beyond the mask do not count against it.
        yield query.mark.meets(wanted & looked_at, looked_at)
    if rule.tos and tos_of(rule.tos):
        yield tos_of(rule.tos) == query.tos & (OLD_TOS if rule.family == "ip" else 0xFC)
    if rule.ipproto:
        yield protocol_of(rule.ipproto) == query.protocol
    if rule.sport:
        yield _port_in(query.source_port, rule.sport)
    if rule.dport:
        yield _port_in(query.destination_port, rule.dport)
    if rule.uidrange:
        low, _, high = rule.uidrange.partition("-")
        yield None if query.user is None else int(low) <= query.user <= int(high or low)
    if set(rule.options) - {"realms"}:
        yield None


def within(address: int, prefix: str, bits: int) -> bool:
    """Whether an address lies in a prefix."""
    base, _, length = prefix.partition("/")
    shift = bits - int(length or bits)
    return address >> shift == number(base) >> shift


def tos_of(text: str) -> int:
    """A type of service as a number."""
    # A name from a host's own file fits no packet that is known here.
    try:
        return int(text or "0", 16)
    except ValueError:
        return 0x100


def protocol_of(text: str) -> int:
    """A protocol by name or number; -1 for a name from a host's own file."""
    try:
        return protocol(text)
    except RuleError:
        return -1


def _port_in(port: int | None, span: str) -> bool | None:
    if port is None:
        return None
    if "/" in span:
        value, _, mask = span.partition("/")
        return port & int(mask, 0) == int(value, 0)
    low, _, high = span.partition("-")
    return int(low) <= port <= int(high or low)

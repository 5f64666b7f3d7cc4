"""Lookups in the routing policy database, for all packets of a set at once."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property

from planner.dataplane.packets.layout import WITH_PORTS, Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.form import Mapped, in_prefix
from planner.dataplane.symbolic.view import DEFAULT_RULES, Net, View, net_of
from planner.models.route import NextHop, PolicyRule, Route

Leg = tuple[str, str, int]
"""Link, gateway (empty: on the link), weight."""
Found = list[tuple[PacketSet, "Way"]]
ERRORS = {"blackhole": "blackhole", "unreachable": "host-unreachable", "prohibit": "admin-prohibited"}
RULE_ERRORS = {"blackhole": "blackhole", "unreachable": "net-unreachable", "prohibit": "admin-prohibited"}
"""fib_rules.c and fib4_rule_action(): EINVAL, ENETUNREACH, EACCES."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a lookup answers."""

    kind: str
    """`unicast`, `local`, `broadcast`, `none` and so on; for errors what the sender is told, or `blackhole`."""
    legs: tuple[Leg, ...] = ()
    doubt: str = ""
    length: int = 0
    text: str = ""
    mtu: int = 0
    """The route's own limit; 0: that of the link."""


NOWHERE = Way("none")
NAMES = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmpv6": 58, "sctp": 132}
RULE_ERRORS6 = {"blackhole": "blackhole", "unreachable": "no-route", "prohibit": "admin-prohibited"}
ERRORS6 = RULE_ERRORS6
"""net/ipv6/route.c, ip6_rt_init_dst_reject()."""
UNLINKED = frozenset({*ERRORS.values(), *ERRORS6.values(), "throw", "unknown"})
"""Answers that hang on no link."""
OLD_TOS = 0x1C
NEW_TOS = 0xFC
"""Bits of the octet that rules of IPv6 compare."""
LINK_LOCAL = 0xFE80 << 112, 10
LOOPBACK6 = 1


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked up. A field is a part of the packet as it entered, or a value."""

    destination: Part | Mapped | int
    source: Part | Mapped | int
    iif: str | None
    """None: the link that the packet came by."""
    mark: int = 0
    mark_unknown: int = 0
    tos: bytes | None = None
    destination_port: Part | int = Part.DESTINATION_PORT
    source_port: Part | int = Part.SOURCE_PORT
    local: bool = False
    """Of the node itself."""
    user: bool = False
    """With the user of its socket."""
    bare: bool = False
    """Without protocol and ports: no rule made the kernel look at them."""
    oif: str = ""
    """Only routes by this link count, as for link-local destinations of IPv6 (rt6_need_strict())."""


class Routing:
    """The lookups of one side."""

    def __init__(self, space: Space, view: View) -> None:
        self.space = space
        self.view = view
        self._tables: dict[str, Table] = {}
        self._known: dict[Query, Found] = {}
        self._ports = space.inside(Part.PROTOCOL, ((number, number) for number in WITH_PORTS))
        self._rule_errors = RULE_ERRORS6 if view.six else RULE_ERRORS
        self._tos_mask = NEW_TOS if view.six else OLD_TOS

    def lookup(self, where: PacketSet, query: Query) -> Found:
        """Every packet of the set with the one way that it takes."""
        if not query.local and not self.dissects:
            query = replace(query, bare=True)
        key = self.relevant(query)
        known = self._known.get(key)
        if known is None:
            found: dict[Way, PacketSet] = {}
            for part, way in self._walk(0, self.space.all, key):
                found[way] = found[way] | part if way in found else part
            known = self._known[key] = [(part, way) for way, part in found.items()]
        return [(part & where, way) for part, way in known if (part & where).satisfiable()]

    def relevant(self, query: Query) -> Query:
        """The query without what no rule and no route looks at: most packets ask the same."""
        usual = Query(destination=query.destination, source=Part.SOURCE, iif="lo")
        kept = {name: getattr(query, name) for name in self._looked_at}
        return replace(usual, oif=query.oif, **kept)

    @cached_property
    def _looked_at(self) -> frozenset[str]:
        names: set[str] = set()
        for rule in self.view.rules:
            if rule.source:
                names.add("source")
            if rule.iif:
                names.add("iif")
            if rule.fwmark:
                names |= {"mark", "mark_unknown"}
            if rule.ipproto or rule.sport or rule.dport:
                names |= {"source_port", "destination_port", "bare"}
            if rule.uidrange:
                names.add("user")
            if tos_of(rule.tos):
                names.add("tos")
        if not self.view.six and any(tos_of(route.tos) for route in self.view.routes):
            names.add("tos")
        return frozenset(names)

    @cached_property
    def dissects(self) -> bool:
        """Whether arriving packets are taken apart for their ports; rules for `iif lo` do not ask for it (fib_rules.h)."""
        return any(
            (rule.ipproto or rule.sport or rule.dport) and rule.iif != "lo" for rule in self.view.rules
        )

    @cached_property
    def by_legs(self) -> bool:
        """Whether some route may be passed over because a link of it is dead, or a rule leaves short prefixes out."""
        links = self.view.links
        dead = any(
            hop.link not in links or not links[hop.link].up or not links[hop.link].carrier
            for route in self.view.routes
            for hop in route.nexthops
        )
        objects = any(route.nexthop_id is not None for route in self.view.routes)
        return dead or objects or any(rule.suppress_prefixlength is not None for rule in self.view.rules)

    @cached_property
    def mixed(self) -> bool:
        """Whether a lookup that passes a route over may end at an own or a broadcast address."""
        first = self.view.rules[0]
        usual = first.preference == 0 and first.table == "255" and first == DEFAULT_RULES[0].model_copy(
            update={"protocol": first.protocol}
        )  # fmt: skip
        return not usual or any(
            route.table != "255" and route.type in {"local", "broadcast", "multicast", "anycast"}
            for route in self.view.routes
        )

    def _walk(self, start: int, where: PacketSet, query: Query) -> Found:
        found: Found = []
        rules = self.view.rules
        for at in range(start, len(rules)):
            if not where.satisfiable():
                return found
            rule = rules[at]
            selected = where & self._selects(rule, query)
            if not selected.satisfiable():
                continue
            where = where & ~selected
            match rule.action:
                case "lookup":
                    missed = self.space.none
                    for part, way in self.table(rule.table).lookup(selected, query):
                        if way is NOWHERE or self._suppressed(rule, way):
                            missed = missed | part
                        else:
                            found.append((part, way))
                    where = where | missed
                case "goto":
                    target = next((n for n, other in enumerate(rules) if other.preference == rule.goto), None)
                    if target is None or target <= at:
                        where = where | selected
                    else:
                        found.extend(self._walk(target, selected, query))
                case "nop":
                    where = where | selected
                case action if action in self._rule_errors:
                    found.append((selected, Way(self._rule_errors[action], text=f"rule {rule.preference}")))
                case action:
                    found.append((selected, Way("unknown", doubt=f"policy rule with action {action}")))
        found.append((where, NOWHERE))
        return [(part, way) for part, way in found if part.satisfiable()]

    def table(self, name: str) -> "Table":
        """One table, ready for lookups."""
        made = self._tables.get(name)
        if made is None:
            routes = (
                self.view.local_routes if name == "255"
                else tuple(r for r in self.view.routes if r.table == name)
            )  # fmt: skip
            made = self._tables[name] = Table(self.space, self.view, routes)
        return made

    def _suppressed(self, rule: PolicyRule, way: Way) -> bool:
        """fib4_rule_suppress(): only of answers that are a route, not of errors."""
        if way.kind not in {"unicast", "local", "broadcast", "multicast"}:
            return False
        return rule.suppress_prefixlength is not None and way.length <= rule.suppress_prefixlength

    def _selects(self, rule: PolicyRule, query: Query) -> PacketSet:
        """Packets that the rule is about."""
        space = self.space
        every = space.all
        if rule.source:
            every = every & _in_net(space, query.source, net_of(rule.source))
        if rule.destination:
            every = every & _in_net(space, query.destination, net_of(rule.destination))
        if rule.iif:
            if query.iif is None:
                every = every & self.view.came_by({rule.iif})
            elif query.iif != rule.iif:
                every = space.none
        if rule.oif and rule.oif != query.oif:
            # Forwarded packets and sockets that are not bound to a link ask with none.
            every = space.none
        if rule.fwmark:
            value, _, mask = rule.fwmark.partition("/")
            bits = int(mask, 0) if mask else 0xFFFFFFFF
            # fib_rules.c, fib_rule_match(): bits of the value beyond the mask do not count against it.
            every = every & self._marked(int(value, 0) & bits, bits, query)
        if rule.ipproto:
            number = NAMES.get(rule.ipproto) or (int(rule.ipproto) if rule.ipproto.isdigit() else None)
            asked = self._unsure(rule, "ipproto") if number is None else space.equals(Part.PROTOCOL, number)
            every = every & (space.none if query.bare else asked)
        for text, port in ((rule.sport, query.source_port), (rule.dport, query.destination_port)):
            if not text:
                continue
            if query.bare:
                every = space.none
            elif "/" in text:
                every = every & self._unsure(rule, "ports")
            else:
                low, _, high = text.partition("-")
                every = every & self._ports & _in_interval(space, port, int(low), int(high or low))
        if rule.uidrange:
            low, _, high = rule.uidrange.partition("-")
            users = space.interval(Part.USER, int(low), int(high or low))
            every = every & (users if query.user else space.all if int(low) == 0 else space.none)
        if tos_of(rule.tos):
            every = every & _tos_is(space, query, tos_of(rule.tos), self._tos_mask)
        if rule.suppress_ifgroup or rule.options.keys() - {"realms"}:
            every = every & self._unsure(rule, "options")
        return ~every if rule.inverted else every

    def _marked(self, value: int, mask: int, query: Query) -> PacketSet:
        if (query.mark ^ value) & mask & ~query.mark_unknown:
            return self.space.none
        unsure = mask & query.mark_unknown
        if not unsure:
            return self.space.all
        key: Hashable = ("bits", value & unsure, unsure, query)
        return self.space.oracle(key, text=f"mark {value:#x}/{mask:#x}")

    def _unsure(self, rule: PolicyRule, what: str) -> PacketSet:
        return self.space.oracle(
            ("rule", rule.model_dump_json(), what), text=f"policy rule {rule.preference} with {what}"
        )


class Table:
    """One routing table: longest prefix, then smallest metric (fib_trie.c, fib_table_lookup())."""

    def __init__(self, space: Space, view: View, routes: tuple[Route, ...]) -> None:
        self.space = space
        self.view = view
        entries = [(net_of(route.prefix), route) for route in routes]
        # fib_find_alias(): of the same prefix a greater type of service first, then the smaller metric.
        self.entries = sorted(
            entries, key=lambda entry: (-entry[0].length, -tos_of(entry[1].tos), entry[1].metric)
        )
        self._by_net: dict[Net, list[Route]] = {}
        for net, route in self.entries:
            self._by_net.setdefault(net, []).append(route)
        self._lengths = sorted({net.length for net in self._by_net}, reverse=True)
        self._ways: dict[int, Way | None] = {}

    def lookup(self, where: PacketSet, query: Query) -> Found:
        """Every packet with its way; `NOWHERE` itself when the next rule is to be asked."""
        found: Found = []
        bits = self.view.bits
        if isinstance(query.destination, int):
            nets = [
                Net(query.destination >> (bits - length) << (bits - length), length, bits)
                for length in self._lengths
            ]
            entries = [(net, route) for net in nets for route in self._by_net.get(net, ())]
        else:
            entries = self.entries
        for net, route in entries:
            way = self._way(route, net)
            if way is not None and query.oif:
                way = _by_link(way, query.oif)
            if way is None:
                continue
            part = where & _in_net(self.space, query.destination, net)
            if tos_of(route.tos) and not self.view.six:
                part = part & _tos_is(self.space, query, tos_of(route.tos), OLD_TOS)
            if part.satisfiable():
                # A throw route ends the search in this table only.
                found.append((part, NOWHERE if way.kind == "throw" else way))
                where = where & ~part
                if not where.satisfiable():
                    return found
        found.append((where, NOWHERE))
        return found

    def _way(self, route: Route, net: Net) -> Way | None:
        """What the route answers; None when none of its next hops can be used, so that a shorter prefix is tried."""
        key = id(route)
        if key not in self._ways:
            self._ways[key] = self._resolve(route, net)
        return self._ways[key]

    def _resolve(self, route: Route, net: Net) -> Way | None:
        text = f"{route.prefix} {route.type}"
        errors = ERRORS6 if self.view.six else ERRORS
        if route.type in errors:
            return Way(errors[route.type], length=net.length, text=text)
        if route.type == "throw":
            return Way("throw")
        if "from" in route.options:
            return Way("unknown", doubt=f"route {route.prefix} from {route.options['from']}")
        hops = route.nexthops
        if not hops and route.nexthop_id is not None:
            held = self._object(route.nexthop_id)
            if held is None:
                return Way("unknown", doubt=f"nexthop object {route.nexthop_id} of route {route.prefix}")
            if not held:
                return Way("blackhole", length=net.length, text=text)
            hops = held
        legs = []
        if any(hop.encap for hop in hops):
            return Way("unknown", doubt=f"route {route.prefix} wraps packets ({hops[0].encap})")
        for hop in hops:
            link = self.view.links.get(hop.link)
            # What is local never dies with its link (fib_semantics.c, fib_sync_down_dev(); ip6_fib.c, fib6_ifdown(); measured).
            if route.type == "local":
                legs.append((hop.link, hop.via, hop.weight))
                continue
            # Down is dead; without carrier only where it is said so (fib_trie.c, fib_table_lookup()).
            if (link is None and self.view.links) or (link is not None and not link.up):
                continue
            if link is not None and not link.carrier and self._ignored_without_carrier(hop.link):
                continue
            legs.append((hop.link, hop.via, hop.weight))
        if hops and not legs:
            return None
        return Way(route.type, tuple(legs), length=net.length, text=text, mtu=route.mtu or 0)

    def _ignored_without_carrier(self, link: str) -> bool:
        if self.view.six:
            return bool(self.view.knob(link, "ignore_routes_with_linkdown"))
        return bool(self.view.either(link, "ignore_routes_with_linkdown"))

    def _object(self, number: int) -> tuple[NextHop, ...] | None:
        """The next hops of an object; empty for a blackhole, None when it is not known."""
        held = next((one for one in self.view.state.nexthop_objects if one.id == number), None)
        if held is None:
            return None
        if held.blackhole:
            return ()
        if not held.group:
            return (held.hop,)
        hops: list[NextHop] = []
        for member, weight in held.group:
            inner = self._object(member)
            if inner is None or len(inner) != 1:
                return None
            hops.append(inner[0].model_copy(update={"weight": weight}))
        return tuple(hops)


def tos_of(text: str) -> int:
    """The octet of a route or rule, as iproute2 prints it."""
    try:
        return int(text or "0", 0)
    except ValueError:
        return int(text, 16)


def _by_link(way: Way, link: str) -> Way | None:
    """The route as far as it leads by one link."""
    if not way.legs:
        return way if way.kind in UNLINKED else None
    legs = tuple(leg for leg in way.legs if leg[0] == link)
    return replace(way, legs=legs) if legs else None


def _tos_is(space: Space, query: Query, wanted: int, mask: int) -> PacketSet:
    """IPv4 lookups see three bits of the octet (include/net/ip_fib.h, fib_dscp_masked_match())."""
    if query.tos is None:
        return space.bits(Part.TOS, wanted, mask)
    now = query.tos
    return space.inside(Part.TOS, ((old, old) for old in range(256) if now[old] & mask == wanted))


def _in_net(space: Space, value: Part | Mapped | int, net: Net) -> PacketSet:
    if isinstance(value, Part):
        return space.prefix(value, net.value, net.length)
    # Only destinations were set before a lookup: the source is translated after routing.
    return in_prefix(space, Part.DESTINATION, value, net.value, net.length)


def _in_interval(space: Space, value: Part | int, low: int, high: int) -> PacketSet:
    if isinstance(value, Part):
        return space.interval(value, low, high)
    return space.all if low <= value <= high else space.none

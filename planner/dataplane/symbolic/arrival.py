"""Where a packet that came by a link goes: the checks of its addresses, the lookup, and the way back to its source.

net/ipv4/route.c, ip_route_input_slow() and __mkroute_input(); net/ipv4/fib_frontend.c, fib_validate_source().
"""

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.routing import BROADCASTS
from planner.dataplane.symbolic.bridging import Bridges
from planner.dataplane.symbolic.form import End, Form, in_prefix, lost, silent
from planner.dataplane.symbolic.routing import Query, Routing, Way
from planner.dataplane.symbolic.view import View
from planner.models.flow import Disposition

Steps = list[tuple[PacketSet, Form | End]]
LONGEST = 0xFFFF
DECREMENT = bytes([0, *range(255)])
"""ip_forward() takes one off before the FORWARD hook."""


class Arrival:
    """The routing decision of one side, for packets that came by a link."""

    def __init__(self, space: Space, view: View, routing: Routing, bridges: Bridges) -> None:
        self.bridges = bridges
        self.space = space
        self.view = view
        self.routing = routing
        self._known: dict[Query, tuple[PacketSet, list[tuple[PacketSet, End]]]] = {}
        names = sorted(view.codes)
        # IN_DEV_RPFILTER: the larger of `all` and the link's own value; 1 is strict, 2 loose.
        both = {name: (view.knob("all", "rp_filter"), view.knob(name, "rp_filter")) for name in names}
        strict = {name: None if None in pair else max(pair) for name, pair in both.items()}  # type: ignore[type-var]
        filtered = view.came_where(
            "rp_filter", {name: None if value is None else value > 0 for name, value in strict.items()}
        )
        self.unfiltered = view.came_by(set(names)) & ~filtered
        self.strict = filtered & view.came_where(
            "strict rp_filter",
            {name: None if value is None else value == 1 for name, value in strict.items()},
        )
        self.accepts_local = self._on(names, "accept_local")
        self.with_mark = self._on(names, "src_valid_mark")
        self.redirects = {name: view.either(name, "send_redirects") for name in names}
        self.loopback_allowed = self._on(names, "route_localnet")
        self.by_broadcast = view.came_by({name for name in names if view.node.forwards_broadcasts(name)})
        own = {name: view.knob(name, "forwarding") for name in names}
        self.forwards = view.came_where(
            "forwarding", {name: None if value is None else bool(value) for name, value in own.items()}
        )
        self.bare = view.came_by({name for name in names if not view.addresses.get(name)})

    def _on(self, names: list[str], knob: str) -> PacketSet:
        return self.view.came_where(knob, {name: self.view.either(name, knob) for name in names})

    def decide(self, where: PacketSet, form: Form, *, turned: bool = False) -> Steps:
        """Every packet: on to INPUT or FORWARD, or how it ends. `turned`: translated on its bridge, and may stay there."""
        found: Steps = []
        where = self._martians(where, form, found)
        query = Query(
            destination=Part.DESTINATION if form.destination is None else form.destination,
            source=Part.SOURCE, iif=None, mark=form.mark, mark_unknown=form.mark_unknown, tos=form.tos,
            destination_port=Part.DESTINATION_PORT if form.destination_port is None else form.destination_port,
        )  # fmt: skip
        for part, way in self.routing.lookup(where, query):
            self._take(part, way, form, found, turned=turned)
        return [(part, step) for part, step in found if part.satisfiable()]

    def _martians(self, where: PacketSet, form: Form, found: Steps) -> PacketSet:
        """Addresses that no lookup is made for."""
        space = self.space
        loopback = space.prefix(Part.SOURCE, 127 << 24, 8)
        bad = space.prefix(Part.SOURCE, 0xE0000000, 4) | space.equals(Part.SOURCE, 0xFFFFFFFF)
        zero = self.view.node.zero_network
        bad = bad | space.prefix(Part.SOURCE, 0, zero)
        to_loopback = in_prefix(space, Part.DESTINATION, form.destination, 127 << 24, 8)
        bad = (
            bad
            | in_prefix(space, Part.DESTINATION, form.destination, 0, zero)
            | ((to_loopback | loopback) & ~self.loopback_allowed)
        )
        found.append((where & bad, silent(Disposition.MARTIAN, "source or destination is not taken there")))
        return where & ~bad

    def _take(self, where: PacketSet, way: Way, form: Form, found: Steps, *, turned: bool) -> None:
        match way.kind:
            case "local" | "broadcast" | "anycast":
                forwarded = where & self.by_broadcast if way.kind == "broadcast" else self.space.none
                if forwarded.satisfiable():
                    found.append((forwarded, lost(form, BROADCASTS)))
                    where = where & ~forwarded
                passed = self._validate(where, form, "", found, broadcast=way.kind == "broadcast")
                found.append((passed, form._replace(stage="input mangle")))
            case "unknown":
                found.append((where, lost(form, way.doubt)))
            case "unicast":
                refused = where & ~self.forwards
                found.append(
                    (refused, silent(Disposition.NO_FORWARDING, "forwarding is off where it came in"))
                )
                self._forward(where & self.forwards, way, form, found, turned=turned)
            case "none":
                self._error(where, Disposition.NO_ROUTE, "net-unreachable", way, found)
            case "blackhole":
                self._error(where, Disposition.BLACKHOLE, "", way, found)
            case "net-unreachable" | "host-unreachable" | "admin-prohibited":
                self._error(where, Disposition.UNREACHABLE, way.kind, way, found)
            case _:
                found.append((where, silent(Disposition.MARTIAN, f"route type {way.kind}")))

    def _error(self, where: PacketSet, end: Disposition, kind: str, way: Way, found: Steps) -> None:
        refused = silent(Disposition.NO_FORWARDING, "forwarding is off where it came in")
        found.append((where & ~self.forwards, refused))
        found += told(self.space, where & self.forwards, end, way.text, kind)

    def _forward(self, where: PacketSet, way: Way, form: Form, found: Steps, *, turned: bool) -> None:
        for part, link, hop in legs_of(self.space, where, way, form):
            passed = self._validate(part, form, link, found)
            if turned:
                staying, steps = self.bridges.turned(passed, form, link, hop)
                found += steps
                passed = passed & ~staying
            found += forwarded(self.view, passed, form, link, hop, way.mtu)

    def _validate(
        self, where: PacketSet, form: Form, link: str, found: Steps, *, broadcast: bool = False
    ) -> PacketSet:
        """Packets whose source is plausible; the others are dropped."""
        space, view = self.space, self.view
        back = view.came_where(
            "send_redirects", {link: self.redirects[link]} if link in self.redirects else {}
        )
        simple = where & self.unfiltered & ~back
        passed = simple & self.accepts_local
        if not view.custom_rules:
            checked = simple & ~self.accepts_local
            found.append((checked & view.own, silent(Disposition.MARTIAN, "the source is an own address")))
            passed = passed | (checked & ~view.own)
            simple = space.none
        else:
            simple = simple & ~self.accepts_local
        full = simple | (where & ~(self.unfiltered & ~back))
        for marked, mark, unknown in (
            (full & self.with_mark, form.mark, form.mark_unknown),
            (full & ~self.with_mark, 0, 0),
        ):
            if not marked.satisfiable():
                continue
            # __fib_validate_source(): the egress link plays the ingress; source and destination change places.
            query = Query(
                destination=Part.SOURCE,
                source=0 if broadcast else Part.DESTINATION if form.destination is None else form.destination,
                iif=link or "lo", mark=mark, mark_unknown=unknown, tos=form.tos,
                destination_port=Part.SOURCE_PORT,
                source_port=Part.DESTINATION_PORT if form.destination_port is None else form.destination_port,
            )  # fmt: skip
            good, ends = self._ways_back(query)
            passed = passed | (marked & good)
            for part, end in ends:
                found.append((marked & part, lost(form, end.doubt) if end.doubt else end))
        return passed

    def _ways_back(self, query: Query) -> tuple[PacketSet, list[tuple[PacketSet, End]]]:
        """All packets whose source passes, and how the others end; the same question is asked for most packets."""
        key = self.routing.relevant(query)
        known = self._known.get(key)
        if known is None:
            ends: dict[End, list[PacketSet]] = {}
            good = [self._back(part, way, ends) for part, way in self.routing.lookup(self.space.all, query)]
            known = self._known[key] = (
                self.space.union(good),
                [(self.space.union(parts), end) for end, parts in ends.items()],
            )
        return known

    def _back(self, where: PacketSet, way: Way, ends: dict[End, list[PacketSet]]) -> PacketSet:
        """Judged by the one way back."""
        filtered = silent(Disposition.RP_FILTER, "no fitting way back to the source")
        match way.kind:
            case "unicast" | "local":
                if way.kind == "local":
                    own = silent(Disposition.MARTIAN, "the source is an own address")
                    ends.setdefault(own, []).append(where & ~self.accepts_local)
                    where = where & self.accepts_local
                fitting = where & self.view.came_by({link for link, _, _ in way.legs})
                rest = where & ~fitting
                bad = rest & ((self.bare & ~self.unfiltered) | (~self.bare & self.strict))
                ends.setdefault(filtered, []).append(bad)
                return fitting | (rest & ~bad)
            case "unknown":
                ends.setdefault(End(Disposition.UNKNOWN, doubt=way.doubt), []).append(where)
                return self.space.none
            case "broadcast" | "multicast" | "anycast":
                end = silent(Disposition.MARTIAN, f"the source is a {way.kind} address")
                ends.setdefault(end, []).append(where)
                return self.space.none
            case _:
                ends.setdefault(filtered, []).append(where & ~self.unfiltered)
                return where & self.unfiltered


def forwarded(view: View, where: PacketSet, form: Form, link: str, hop: str, mtu: int) -> Steps:
    """On to FORWARD, with one off the hop limit, as far as the size fits (ip_forward(), ip6_forward())."""
    space = view.space
    few = expiring(space, form)
    less = DECREMENT if form.hop_limit is None else bytes(DECREMENT[now] for now in form.hop_limit)
    onward = form._replace(stage="forward mangle", link=link, hop=hop, hop_limit=less)
    ends = told(space, where & few, Disposition.EXPIRED, "the hop limit", "time-exceeded")
    where = where & ~few
    most = mtu or view.mtu(link)
    if most < LONGEST:
        big = where & space.interval(Part.LENGTH, most + 1, LONGEST)
        kind = "packet-too-big" if view.six else "fragmentation-needed"
        ends += told(space, big, Disposition.TOO_BIG, f"{link} takes {most} octets", kind)
        where = where & ~big
    return [*ends, (where, onward)]


def told(space: Space, where: PacketSet, end: Disposition, reason: str, kind: str) -> Steps:
    """An end of which the sender is told; but there are no errors about errors (icmp.c, __icmp_send())."""
    errors = where & icmp_errors(space)
    return [(where & ~errors, silent(end, reason, kind=kind)), (errors, silent(end, reason))]


def icmp_errors(space: Space) -> PacketSet:
    """Packets that tell of another packet (icmp.c, icmp_pointers; net/ipv6/icmp.c: types below 128)."""
    if space.family == "ip6":
        return space.equals(Part.PROTOCOL, 58) & space.interval(Part.ICMP_TYPE, 0, 127)
    return space.equals(Part.PROTOCOL, 1) & space.inside(Part.ICMP_TYPE, ((3, 5), (11, 12)))


def legs_of(space: Space, where: PacketSet, way: Way, form: Form) -> list[tuple[PacketSet, str, str]]:
    """One for each next hop. Which one of several a flow takes hangs on a hash with an unknown seed."""
    if not way.legs:
        return [(where, "", "")]
    found: list[tuple[PacketSet, str, str]] = []
    weight = sum(leg[2] for leg in way.legs)
    for at, (link, hop, own) in enumerate(way.legs):
        part = where
        if at < len(way.legs) - 1:
            part = part & space.oracle(
                ("leg", way, at, form.destination, form.destination_port, form.stage),
                text=f"{way.text}: next hop {hop or link}", chance=own / weight,
            )  # fmt: skip
        weight -= own
        where = where & ~part
        found.append((part, link, hop))
    return found


def expiring(space: Space, form: Form) -> PacketSet:
    """Packets with too small a hop limit to be forwarded."""
    if form.hop_limit is None:
        return space.interval(Part.HOP_LIMIT, 0, 1)
    now = form.hop_limit
    return space.inside(Part.HOP_LIMIT, ((old, old) for old in range(256) if now[old] <= 1))

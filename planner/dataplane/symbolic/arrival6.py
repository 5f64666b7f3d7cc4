"""Where a packet of IPv6 that came by a link goes: what no hook sees, the lookup, and what may be forwarded.

net/ipv6/ip6_input.c, ip6_rcv_core(); net/ipv6/route.c, ip6_route_input(); net/ipv6/ip6_output.c, ip6_forward().
"""

from dataclasses import replace

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.arrival import Steps, expiring, forwarded, legs_of, told
from planner.dataplane.symbolic.bridging import Bridges
from planner.dataplane.symbolic.form import Form, in_prefix, lost, silent
from planner.dataplane.symbolic.routing import LINK_LOCAL, LOOPBACK6, Query, Routing, Way
from planner.dataplane.symbolic.view import View
from planner.models.flow import Disposition

MULTICAST = 0xFF << 120, 8
GROUPS = "which multicast groups are joined is not in the snapshot"


class Arrival6:
    """The routing decision of one side. Sources are not checked but by rules (the match rpfilter)."""

    def __init__(self, space: Space, view: View, routing: Routing, bridges: Bridges) -> None:
        self.bridges = bridges
        self.space = space
        self.view = view
        self.routing = routing
        self.forwards = self._forwards()

    def _forwards(self) -> PacketSet:
        """The node forwards, or the link is told to all the same (force_forwarding, since 6.17)."""
        everywhere = self.view.knob("all", "forwarding")
        if everywhere:
            return self.space.all
        answers: dict[str, bool | None] = {}
        for name in self.view.codes:
            forced = self.view.knob(name, "force_forwarding")
            answers[name] = True if forced else None if everywhere is None else False
        return self.view.came_where("forwarding", answers)

    def arrive(self, where: PacketSet, form: Form) -> Steps:
        """Before any hook; what a bridge shows to netfilter has seen the hook by the time that it is refused."""
        seen = where & self.bridges.seen
        found, left = self.refuse(where & ~seen)
        return [*found, (left | seen, form._replace(stage="prerouting raw"))]

    def refuse(self, where: PacketSet) -> tuple[Steps, PacketSet]:
        """What is dropped at once, and what is left."""
        space = self.space
        off = self.view.came_by({name for name in self.view.codes if self.view.knob(name, "disable_ipv6")})
        odd = (
            space.prefix(Part.SOURCE, *MULTICAST)
            | space.equals(Part.SOURCE, LOOPBACK6)
            | space.equals(Part.DESTINATION, LOOPBACK6)
        )
        found: Steps = [
            (where & off, silent(Disposition.MARTIAN, "IPv6 is turned off where it came in")),
            (where & odd & ~off, silent(Disposition.MARTIAN, "a multicast source, or a loopback address from outside")),
        ]  # fmt: skip
        return found, where & ~off & ~odd

    def decide(self, where: PacketSet, form: Form, *, turned: bool = False) -> Steps:
        """Every packet: on to INPUT or FORWARD, or how it ends. `turned`: translated on its bridge, and may stay there."""
        found: Steps = []
        many = where & self._destined(form, *MULTICAST)
        found.append((many, lost(form, GROUPS)))
        where = where & ~many
        strict = where & (self._destined(form, *LINK_LOCAL) | self._destined(form, LOOPBACK6, 128))
        query = Query(
            destination=Part.DESTINATION if form.destination is None else form.destination,
            source=Part.SOURCE, iif=None, mark=form.mark, mark_unknown=form.mark_unknown, tos=form.tos,
            destination_port=Part.DESTINATION_PORT if form.destination_port is None else form.destination_port,
        )  # fmt: skip
        asked = [(where & ~strict, query)]
        if strict.satisfiable():
            # rt6_need_strict(): such a destination has a route only by the link that the packet came by.
            names = sorted(self.view.codes)
            asked += [(strict & self.view.came_by({name}), replace(query, oif=name)) for name in names]
        for some, one in asked:
            if some.satisfiable():
                for part, way in self.routing.lookup(some, one):
                    self._take(part, way, form, found, turned=turned)
        return [(part, step) for part, step in found if part.satisfiable()]

    def _destined(self, form: Form, value: int, length: int) -> PacketSet:
        return in_prefix(self.space, Part.DESTINATION, form.destination, value, length)

    def _take(self, where: PacketSet, way: Way, form: Form, found: Steps, *, turned: bool) -> None:
        # br_nf_pre_routing_finish_ipv6() frees what finds no route, without a word.
        tell = silently if turned else told
        match way.kind:
            case "local" | "anycast":
                found.append((where, form._replace(stage="input mangle")))
            case "unknown":
                found.append((where, lost(form, way.doubt)))
            case "unicast" if turned:
                for part, link, hop in legs_of(self.space, where, way, form):
                    staying, steps = self.bridges.turned(part, form, link, hop)
                    found += steps
                    one = replace(way, legs=((link, hop, 1),))
                    self._take(part & ~staying, one, form, found, turned=False)
            case "unicast":
                refused = silent(Disposition.NO_FORWARDING, "IPv6 is not forwarded")
                found.append((where & ~self.forwards, refused))
                self._forward(where & self.forwards, way, form, found)
            case "blackhole":
                found.append((where, silent(Disposition.BLACKHOLE, way.text)))
            case "no-route" | "admin-prohibited":
                found += tell(self.space, where, Disposition.UNREACHABLE, way.text, way.kind)
            case _:
                found += tell(self.space, where, Disposition.NO_ROUTE, way.text, "no-route")

    def _forward(self, where: PacketSet, way: Way, form: Form, found: Steps) -> None:
        space = self.space
        for part, link, hop in legs_of(space, where, way, form):
            # By the link that it came by any source goes back; the hop limit is looked at before (measured).
            away = part & ~expiring(space, form) & ~self.view.came_by({link})
            nobody = away & (space.prefix(Part.SOURCE, *MULTICAST) | space.prefix(Part.SOURCE, 0, 127))
            found.append((nobody, silent(Disposition.MARTIAN, "the source is no host's")))
            near = away & space.prefix(Part.SOURCE, *LINK_LOCAL)
            text = "a link-local source is not forwarded"
            found += told(space, near, Disposition.MARTIAN, text, "beyond-scope")
            found += forwarded(self.view, part & ~nobody & ~near, form, link, hop, way.mtu)


def silently(space: Space, where: PacketSet, end: Disposition, reason: str, kind: str) -> Steps:
    """As `told`, where nobody is."""
    del space, kind
    return [(where, silent(end, reason))]

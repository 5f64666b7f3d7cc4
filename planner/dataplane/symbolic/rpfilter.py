"""The match rpfilter for all packets at once: whether the way back to a source leads by the link that it came by.

net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c.
"""

from dataclasses import replace

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.rpfilter import NAME
from planner.dataplane.symbolic.form import Form
from planner.dataplane.symbolic.routing import Query, Routing
from planner.dataplane.symbolic.view import View


class WayBack:
    """Of one side."""

    def __init__(self, space: Space, view: View, routing: Routing) -> None:
        self.space = space
        self.view = view
        self.routing = routing
        self._known: dict[tuple[frozenset[str], Query], PacketSet | None] = {}

    def meets(self, text: str, form: Form) -> PacketSet | None:
        """Packets that meet the match as a rule prints it; None when the way back is not known."""
        options = frozenset(text.removeprefix(NAME).split())
        if form.came:
            found: PacketSet | None = self.space.all
        elif form.source is not None or any(self.view.node.missing(name) for name in self._sections()):
            return None
        else:
            found = self._found(options, form)
        if found is None:
            return None
        return ~found if "--invert" in options else found

    def _sections(self) -> tuple[str, str]:
        return f"routes/{self.view.family}", f"policy_rules/{self.view.family}"

    def _found(self, options: frozenset[str], form: Form) -> PacketSet | None:
        marked = "--validmark" in options
        # The lookup of IPv6 has the protocol and no ports (ip6t_rpfilter.c, rpfilter_lookup_reverse6()).
        query = Query(
            destination=Part.SOURCE, iif="lo", bare=not self.view.six, tos=form.tos, local=self.view.six,
            destination_port=0, source_port=0,
            source=Part.DESTINATION if form.destination is None else form.destination,
            mark=form.mark if marked else 0, mark_unknown=form.mark_unknown if marked else 0,
        )  # fmt: skip
        loose = "--loose" in options
        if loose or not self.view.six:
            return self._led(options - {"--invert"}, query)
        parts: list[PacketSet] = []
        for name in sorted(self.view.codes):
            part = self._led(options - {"--invert"}, replace(query, oif=name))
            if part is None:
                return None
            parts.append(part & self.view.came_by({name}))
        return self.space.union(parts)

    def _led(self, options: frozenset[str], query: Query) -> PacketSet | None:
        """Packets to which the lookup gives a fitting way."""
        key = options, replace(self.routing.relevant(query), destination=Part.SOURCE)
        if key not in self._known:
            self._known[key] = self._asked(options, query)
        return self._known[key]

    def _asked(self, options: frozenset[str], query: Query) -> PacketSet | None:
        space = self.space
        found = [space.none]
        for part, way in self.routing.lookup(space.all, query):
            match way.kind:
                case "unknown":
                    return None
                case "local":
                    found.append(part if "--accept-local" in options else space.none)
                case "unicast":
                    links = {link for link, _, _ in way.legs}
                    found.append(part if "--loose" in options else part & self.view.came_by(links))
                case _:
                    pass
        return space.union(found)

"""What the node's local table says an address is: the match addrtype."""

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.form import Form
from planner.dataplane.symbolic.view import View, net_of

FIXED = (("BROADCAST", 0x00000000, 8), ("BROADCAST", 0xFFFFFFFF, 32), ("MULTICAST", 0xE0000000, 4))
"""Whatever the table says (net/ipv4/fib_frontend.c, __inet_dev_addr_type())."""


class AddressTypes:
    """Types by address, longest prefix of the local table first; everything else is UNICAST."""

    def __init__(self, space: Space, view: View) -> None:
        self.space = space
        self.view = view
        entries = [(net_of(route.prefix), route) for route in view.local_routes]
        entries.sort(key=lambda entry: -entry[0].length)
        self._entries = [
            (net, route.type.upper(), route.nexthops[0].link if route.nexthops else "")
            for net, route in entries
        ]
        self._known: dict[tuple[Part, str], dict[str, PacketSet]] = {}

    def are(self, side: str, types: tuple[str, ...], limit: str, form: Form, device: str) -> PacketSet:
        """Packets whose source or destination is of one of the types."""
        part = Part.SOURCE if side == "source" else Part.DESTINATION
        now = (
            form.source if side == "source" else None if form.destination is None else (form.destination,) * 2
        )
        if now is not None:
            if now[0] != now[1]:
                return self.space.oracle(("type", now, types), text=f"the type of a {side} that is drawn")
            name = self._of(now[0], device if limit else "") if not limit or device else ""
            if name:
                return self.space.all if name in types else self.space.none
        if not limit or device:
            found = self._split(part, device if limit else "")
            return self.space.union([found[name] for name in types if name in found])
        # The link that the packet came by is not one for all of them: each has its own answer.
        answers = []
        for name in sorted(self.view.codes):
            came = self.view.came_by({name})
            if now is not None:
                if self._of(now[0], name) in types:
                    answers.append(came)
            else:
                found = self._split(part, name)
                answers.append(came & self.space.union([found[one] for one in types if one in found]))
        return self.space.union(answers)

    def local(self, value: int) -> bool:
        """Whether it is an address of the node."""
        return self._of(value, "") == "LOCAL"

    def _of(self, value: int, device: str) -> str:
        for name, base, length in FIXED:
            if value >> (32 - length) == base >> (32 - length):
                return name
        for net, name, link in self._entries:
            if net.value <= value <= net.last:
                return name if device in {"", link} else "UNICAST"
        return "UNICAST"

    def _split(self, part: Part, device: str) -> dict[str, PacketSet]:
        known = self._known.get((part, device))
        if known is None:
            known = {}
            rest = self.space.all
            for name, base, length in FIXED:
                prefix = self.space.prefix(part, base, length)
                known[name] = known.get(name, self.space.none) | (prefix & rest)
                rest = rest & ~prefix
            for net, name, link in self._entries:
                prefix = self.space.prefix(part, net.value, net.length)
                shown = name if device in {"", link} else "UNICAST"
                known[shown] = known.get(shown, self.space.none) | (prefix & rest)
                rest = rest & ~prefix
            known["UNICAST"] = known.get("UNICAST", self.space.none) | rest
            self._known[part, device] = known
        return known

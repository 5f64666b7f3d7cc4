"""What the node's local table says an address is: the match addrtype."""

from collections.abc import Hashable

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.form import Form, Mapped
from planner.dataplane.symbolic.view import View, net_of

FIXED = (("BROADCAST", 0x00000000, 8), ("BROADCAST", 0xFFFFFFFF, 32), ("MULTICAST", 0xE0000000, 4))
"""Whatever the table says (net/ipv4/fib_frontend.c, __inet_dev_addr_type())."""
FIXED6 = (("MULTICAST", 0xFF << 120, 8),)


class AddressTypes:
    """Types by address, longest prefix of the local table first; everything else is UNICAST."""

    def __init__(self, space: Space, view: View) -> None:
        self.space = space
        self.view = view
        self.bits = view.bits
        self._fixed = FIXED6 if view.six else FIXED
        entries = [(net_of(route.prefix), route) for route in view.local_routes]
        entries.sort(key=lambda entry: -entry[0].length)
        self._entries = [
            (net, route.type.upper(), route.nexthops[0].link if route.nexthops else "")
            for net, route in entries
        ]
        self._known: dict[tuple[Part, str], dict[str, PacketSet]] = {}
        self.salt: Hashable = ""
        """What the answers that hang on routes depend on."""

    def are(self, side: str, types: tuple[str, ...], limit: str, form: Form, device: str) -> PacketSet:
        """Packets that the match addrtype is met by."""
        if self.view.six:
            return self._are6(side, types, limit, form, device)
        return self.of_types(side, types, limit, form, device)

    def _are6(self, side: str, types: tuple[str, ...], limit: str, form: Form, device: str) -> PacketSet:
        """net/netfilter/xt_addrtype.c, match_type6(): kinds of the address itself first, then the tables."""
        many = self.of_types(side, ("MULTICAST",), limit, form, device)
        found = self.space.all
        if limit and not device:
            found = (
                self.space.interval(Part.IN_LINK, 1, len(self.view.codes))
                if self.view.codes
                else self.space.none
            )
        if "MULTICAST" in types:
            found = found & many
        if "UNICAST" in types:
            found = found & ~many
        if "UNSPEC" in types:
            now = form.source if side == "source" else form.destination
            part = Part.SOURCE if side == "source" else Part.DESTINATION
            nobody = self._now(self.space.equals(part, 0), part, now)
            found = found & (nobody if now is None or isinstance(now, Mapped) else self.space.none)
        asked = tuple(name for name in ("LOCAL", "ANYCAST", "UNREACHABLE") if name in types)
        if asked:
            held = self.of_types(side, asked, limit, form, device)
            if "UNREACHABLE" in asked:
                text = "addrtype UNREACHABLE asks the whole routing tables"
                held = held | self.space.oracle(
                    ("unreachable", side, limit, form.looks, self.salt), text=text
                )
            found = found & held
        return found

    def of_types(self, side: str, types: tuple[str, ...], limit: str, form: Form, device: str) -> PacketSet:
        """Packets whose source or destination is of one of the types."""
        part = Part.SOURCE if side == "source" else Part.DESTINATION
        held = form.source if side == "source" else form.destination
        now = (held, held) if isinstance(held, int) else held
        if isinstance(now, tuple):
            if now[0] != now[1]:
                return self.space.oracle(("type", now, types), text=f"the type of a {side} that is drawn")
            name = self._of(now[0], device if limit else "") if not limit or device else ""
            if name:
                return self.space.all if name in types else self.space.none
        if not limit or device:
            found = self._split(part, device if limit else "")
            return self._now(self.space.union([found[name] for name in types if name in found]), part, now)
        # The link that the packet came by is not one for all of them: each has its own answer.
        answers = []
        for name in sorted(self.view.codes):
            came = self.view.came_by({name})
            if isinstance(now, tuple):
                if self._of(now[0], name) in types:
                    answers.append(came)
            else:
                found = self._split(part, name)
                those = self.space.union([found[one] for one in types if one in found])
                answers.append(came & self._now(those, part, now))
        return self.space.union(answers)

    def _now(self, asked: PacketSet, part: Part, now: object) -> PacketSet:
        """Packets whose address, as it is now, lies in a set of addresses."""
        return now.looking(self.space, part, asked) if isinstance(now, Mapped) else asked

    def local(self, value: int) -> bool:
        """Whether it is an address of the node."""
        return self._of(value, "") == "LOCAL"

    def _of(self, value: int, device: str) -> str:
        for name, base, length in self._fixed:
            if value >> (self.bits - length) == base >> (self.bits - length):
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
            for name, base, length in self._fixed:
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

"""Which own address of IPv6 a node gives to packets, for all destinations at once (RFC 6724)."""

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.source import LABELS, rank6, scope_of, select_address6
from planner.dataplane.symbolic.view import View, value_of
from planner.models.link import Address

Choice = tuple[PacketSet, int | None]
SCOPES = ((0xFE80 << 112, 10), (0xFEC0 << 112, 10), (1, 128))
"""Prefixes whose addresses are not of the scope of the whole internet."""
LINK = 2


class Sources:
    """Of one side."""

    def __init__(self, space: Space, view: View) -> None:
        self.space = space
        self.view = view
        self._known: dict[str, list[Choice]] = {}

    def towards(self, link: str, destination: int | None) -> list[Choice]:
        """Packets by the address that they get; None where there is no address."""
        if destination is not None:
            return [(self.space.all, select_address6(self.view.node, link, destination))]
        known = self._known.get(link)
        if known is None:
            known = self._known[link] = self._all(link)
        return known

    def _all(self, link: str) -> list[Choice]:
        """Destinations of one scope and one label are judged alike, but for how far they agree with an address."""
        chosen: dict[int | None, PacketSet] = {}
        rest = self.space.all
        nets = {*SCOPES, *((value, length) for value, length, _ in LABELS)}
        for value, length in sorted(nets, key=lambda net: -net[1]):
            part = rest & self.space.prefix(Part.DESTINATION, value, length)
            rest = rest & ~part
            self._within(link, part, value, chosen)
        self._within(link, rest, 0x2003 << 112, chosen)
        return [(where, value) for value, where in chosen.items() if where.satisfiable()]

    def _within(self, link: str, where: PacketSet, example: int, chosen: dict[int | None, PacketSet]) -> None:
        space = self.space
        held = self._candidates(link, narrow=scope_of(example) <= LINK)

        def give(value: int | None, part: PacketSet) -> None:
            chosen[value] = chosen.get(value, space.none) | part

        for value, _, _ in held:
            same = where & space.equals(Part.DESTINATION, value)
            give(value, same)
            where = where & ~same
        ranks = [rank6(value, one, example, outgoing=outgoing)[1:-1] for value, one, outgoing in held]
        best = [one for one, rank in zip(held, ranks, strict=True) if rank == max(ranks)]
        longest = max((one.length for _, one, _ in best), default=0) if len(best) > 1 else -1
        for length in range(longest, -1, -1):
            for value, one, _ in best:
                if length <= one.length:
                    part = where & space.prefix(Part.DESTINATION, value, length)
                    give(value, part)
                    where = where & ~part
        give(best[0][0] if best else None, where)

    def _candidates(self, link: str, *, narrow: bool) -> list[tuple[int, Address, bool]]:
        return [
            (value_of(one.address), one, other.name == link)
            for other in self.view.links.values()
            if other.up and (not narrow or other.name == link)
            for one in self.view.addresses[other.name]
        ]

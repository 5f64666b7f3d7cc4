"""Which packets a change can touch, as they entered: an over-approximation, so that all others need no look."""

from collections.abc import Iterator
from functools import cached_property

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.arrival import LONGEST
from planner.dataplane.symbolic.calls import BASE, NO_PORT, Calls, Jumps, Site
from planner.dataplane.symbolic.changed import BackMatters, Changed
from planner.dataplane.symbolic.match import PARTS, fits
from planner.dataplane.symbolic.native_region import NativeTable
from planner.dataplane.symbolic.side import Side
from planner.dataplane.symbolic.view import net_of
from planner.models.ruleset import Table
from planner.netfilter.condition import AllOf, Condition, Field, FieldBits, FieldIn, InInterface, OneOf
from planner.netfilter.lower import lower_text

MOST_CALLERS = 2000
"""Jumps to one chain, or translations into the region, that are followed one by one."""
STEADY = frozenset(
    {
        Field.PROTOCOL, Field.SOURCE, Field.DESTINATION, Field.SOURCE_PORT, Field.DESTINATION_PORT, Field.ICMP_TYPE,
        Field.ICMP_CODE, Field.TCP_FLAGS,
    }
)  # fmt: skip
"""Fields that only a translation changes on the way."""


class Region:
    """The packets that the changed things, in either state, can meet."""

    def __init__(self, space: Space, sides: tuple[Side, Side], changed: Changed, calls: Calls) -> None:
        self.space = space
        self.sides = sides
        self.views = sides[0].view, sides[1].view
        self.changed = changed
        self._reach: dict[tuple[int, str, str, str], PacketSet] = {}
        self._touched: dict[str, PacketSet] = {}
        self._calls = calls

    def touched(self, stage: str) -> PacketSet:
        """Packets, if they look there as they entered, that a stage may treat differently."""
        found = self._touched.get(stage)
        if found is None:
            found = self.space.all
            if stage in self.changed.by_rules:
                table = stage.partition(" ")[2]
                found = self.space.union(
                    [
                        self._met(number, backend, *at)
                        for number, backend, at in self.changed.rules
                        if at[0] == table
                    ]
                )
            self._touched[stage] = found
        return found

    @cached_property
    def packets(self) -> PacketSet:
        """As they entered the node."""
        if self.changed.everything:
            return self.space.all
        seen = [self._met(number, backend, *at) for number, backend, at in self.changed.rules]
        seen += [self._native[side][table].met(chain, at) for side, (table, chain, at) in self.changed.native]
        for prefix in sorted(self.changed.prefixes):
            net = net_of(prefix)
            # As destination of the packet, and of the way back to its source.
            seen.append(self.space.prefix(Part.DESTINATION, net.value, net.length))
            back = self.space.prefix(Part.SOURCE, net.value, net.length)
            if not self.views[0].six:
                seen.append(back & self._judged(self.changed.prefixes[prefix]))
            elif self.changed.prefixes[prefix] is BackMatters.EVERYBODY:
                seen.append(back)
        seen.append(self.views[0].came_by(self.changed.links))
        if self.changed.links and not self.views[0].six:
            # route_localnet counts for the link that a packet of the node with a loopback address leaves by, too.
            own = self.space.equals(Part.IN_LINK, 0)
            seen.append(own & self.space.prefix(Part.SOURCE, 127 << 24, 8))
        if self.changed.longer is not None:
            seen.append(self.space.interval(Part.LENGTH, min(self.changed.longer + 1, LONGEST), LONGEST))
        region = self.space.union(seen)
        if not region.satisfiable() or region.valid():
            return region
        return self._entered(region)

    def _judged(self, matters: BackMatters) -> PacketSet:
        """Packets by links whose verdict on a source may hang on a changed route."""
        found = self.space.none
        for side in self.sides:
            checks = side.arrival
            match matters:
                case _ if side.routing.mixed:
                    return self.space.all
                case BackMatters.STRICT if not side.routing.by_legs:
                    # A dead leg is another matter than another leg: whether there is a way at all may change.
                    found = found | checks.strict | (checks.bare & ~checks.unfiltered)
                case BackMatters.STRICT | BackMatters.FILTERED:
                    found = found | (self.space.all & ~checks.unfiltered)
                case BackMatters.EVERYBODY:
                    found = self.space.all
        return found

    def _met(self, number: int, backend: str, table: str, chain: str, at: int) -> PacketSet:
        """Packets, as they look there, that may meet a rule."""
        held = self._table(number, backend, table)
        rule = self._match(held.chains[chain][at])
        return rule & self._reached(number, backend, held, chain) if rule.satisfiable() else rule

    def _table(self, number: int, backend: str, name: str) -> Table:
        return dict(self.views[number].tables(name))[backend]

    def _reached(self, number: int, backend: str, table: Table, chain: str) -> PacketSet:
        """Packets that may come into a chain."""
        key = (number, backend, table.name, chain)
        found = self._reach.get(key)
        if found is None:
            if chain in table.policies or chain in BASE:
                found = self.space.all
            else:
                self._reach[key] = self.space.all  # if chains should call each other in a circle
                callers = self._read(table).callers.within(chain, MOST_CALLERS)
                found = self.space.all
                if callers is not None:
                    found = self.space.union([self._met(number, backend, table.name, *at) for at in callers])
            self._reach[key] = found
        return found

    def _read(self, table: Table) -> Jumps:
        return self._calls.of(table)

    def _match(self, text: str) -> PacketSet:
        found = self.space.all
        for condition in lower_text(text, self.space.family).conditions:
            found = found & self._widened(condition)
        return found

    def _widened(self, condition: Condition) -> PacketSet:
        """At least every packet that may meet the condition: what may have been set on the way does not count."""
        space = self.space
        match condition:
            case FieldIn(field=field, intervals=intervals) if field in STEADY:
                return space.inside(PARTS[field], intervals)
            case FieldBits(field=field, mask=mask, value=value) if field in STEADY:
                return space.bits(PARTS[field], value, mask)
            case InInterface(pattern=pattern):
                view = self.views[0]
                came = view.came_by({name for name in view.codes if fits(name, pattern)})
                # The node's own packets come back in by lo.
                return came | space.equals(Part.IN_LINK, 0)
            case AllOf(conditions=parts):
                found = space.all
                for part in parts:
                    found = found & self._widened(part)
                return found
            case OneOf(conditions=parts):
                return space.union([self._widened(part) for part in parts])
            case _:
                return space.all

    def _entered(self, seen: PacketSet) -> PacketSet:
        """From packets as they look on the way to packets as they entered."""
        space = self.space
        found = [seen]
        own = space.equals(Part.IN_LINK, 0)
        if self._translates_source():
            # The node's packets to itself come in again with the source that POSTROUTING gave them.
            seen = seen | (space.forget(seen, Part.SOURCE, Part.SOURCE_PORT) & own)
            found.append(seen)
        anywhere = space.forget(seen, Part.DESTINATION, Part.DESTINATION_PORT)
        found += [part for tables in self._native for one in tables.values() for part in one.leading(seen)]
        begins = self._begins(seen)
        for number in (0, 1):
            for backend, table in self._before_routing(number):
                jumps = self._read(table)
                found += [self._met(number, backend, table.name, *at) for at in jumps.wild]
                met = self._targets_in(seen, jumps, begins)
                if met is None:
                    found.append(anywhere)
                    continue
                for (address, port), sites in met:
                    arrived = seen & space.equals(Part.DESTINATION, address)
                    if port is not None:
                        arrived = arrived & space.equals(Part.DESTINATION_PORT, port)
                    if not arrived.satisfiable():
                        continue
                    parts = (Part.DESTINATION,) if port is None else (Part.DESTINATION, Part.DESTINATION_PORT)
                    came = space.forget(arrived, *parts)
                    found += [came & self._met(number, backend, table.name, *at) for at in sites]
        return space.union(found)

    @cached_property
    def _native(self) -> tuple[dict[str, NativeTable], ...]:
        return tuple(
            {
                one.table.name: NativeTable(self.space, self._calls.native(one.table), self._widened)
                for one in view.attached
            }
            for view in self.views
        )

    def _begins(self, seen: PacketSet) -> str:
        """How the text of every destination begins; empty for IPv6, where texts are no prefixes."""
        if self.views[0].six:
            return ""
        value, length = self.space.common(seen, Part.DESTINATION)
        return "".join(f"{value >> shift & 255}." for shift in (24, 16, 8)[: length // 8])

    def _targets_in(
        self, seen: PacketSet, jumps: Jumps, begins: str
    ) -> list[tuple[tuple[int, int | None], list[Site]]] | None:
        """Translations whose result lies in the region; None when they are too many."""
        met: list[tuple[tuple[int, int | None], list[Site]]] = []
        count = 0
        # Addresses are read where some packet has the port, which most have not.
        for number, text in sorted((-1 if text == NO_PORT else int(text), text) for text in jumps.ports):
            port = None if text == NO_PORT else number
            here = seen if port is None else seen & self.space.equals(Part.DESTINATION_PORT, port)
            if not here.satisfiable():
                continue
            for address in self.space.members(here, Part.DESTINATION, sorted(jumps.led(text, begins))):
                sites = jumps.leading(text, begins, address)
                met.append(((address, port), sites))
                count += len(sites)
            if count > MOST_CALLERS:
                return None
        return met

    def _before_routing(self, number: int) -> Iterator[tuple[str, Table]]:
        for name in ("raw", "mangle", "nat"):
            for backend, table in self.views[number].tables(name):
                if number == 1 and table == dict(self.views[0].tables(name)).get(backend):
                    continue
                yield backend, table

    def _translates_source(self) -> bool:
        if any(one.translates_source for tables in self._native for one in tables.values()):
            return True
        return any(
            " SNAT " in text or " MASQUERADE" in text or text.startswith("-j MASQUERADE") or "NETMAP" in text
            for view in self.views
            for _, table in view.tables("nat")
            for rules in table.chains.values()
            for text in rules
        )

"""Which packets can meet a rule of nft, and which may be led elsewhere by one: by its conditions and by who calls its chain."""

from collections.abc import Callable, Iterable, Iterator

from planner.dataplane.nft_rules import meaning
from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.models.ruleset import Table
from planner.netfilter.condition import Condition
from planner.netfilter.effect import (
    Dnat,
    Effect,
    Goto,
    Jump,
    Masquerade,
    NatRange,
    Netmap,
    OpaqueTarget,
    Queue,
    Redirect,
    Snat,
)

MOST_CALLERS = 2000
"""Jumps to one chain that are followed one by one."""
Widened = Callable[[Condition], PacketSet]
"""At least every packet that may meet a condition."""
Site = tuple[str, int]
ACTING = (Dnat, Redirect, Netmap, OpaqueTarget, Queue, Snat, Masquerade)


class NativeCalls:
    """Who calls which chain of a table, and which rules do more than let pass or drop."""

    def __init__(self, table: Table, family: str) -> None:
        self.table = table
        self._callers: dict[str, list[Site]] = {}
        self.acting: list[tuple[Site, Effect]] = []
        for chain, rules in table.chains.items():
            for at, text in enumerate(rules):
                match meaning(text, family).effect:
                    case Jump(chain=target) | Goto(chain=target):
                        self._callers.setdefault(target, []).append((chain, at))
                    case effect if isinstance(effect, ACTING):
                        self.acting.append(((chain, at), effect))
                    case _:
                        pass
        # A target that is not read may be a jump to any chain.
        self._unread = [site for site, effect in self.acting if isinstance(effect, OpaqueTarget)]

    def callers(self, chain: str) -> list[Site]:
        """Rules from which packets may come into a chain."""
        called = self._callers.get(chain, [])
        # No rule may jump to a base chain (`Operation not supported`, measured), and none knows the parts of a rule.
        return called if chain in self.table.policies or " " in chain else [*called, *self._unread]

    def bases(self, chains: Iterable[str]) -> frozenset[str]:
        """The base chains from which packets may come into some chains."""
        todo = [*chains]
        seen = {*todo}
        while todo:
            above = {chain for chain, _ in self.callers(todo.pop())} - seen
            seen |= above
            todo += above
        return frozenset(seen & self.table.policies.keys())


class NativeTable:
    """One table, on one side."""

    def __init__(self, space: Space, calls: NativeCalls, widened: Widened) -> None:
        self._space = space
        self._table = calls.table
        self._calls = calls
        self._widened = widened
        self._reach: dict[str, PacketSet] = {}

    @property
    def translates_source(self) -> bool:
        """Whether a rule gives packets another source."""
        return any(isinstance(effect, Snat | Masquerade | Netmap) for _, effect in self._calls.acting)

    def met(self, chain: str, at: int) -> PacketSet:
        """Packets, as they look there, that may meet a rule."""
        found = self._space.all
        for condition in meaning(self._table.chains[chain][at], self._space.family).conditions:
            found = found & self._widened(condition)
        return found & self._reached(chain) if found.satisfiable() else found

    def _reached(self, chain: str) -> PacketSet:
        found = self._reach.get(chain)
        if found is None:
            self._reach[chain] = found = self._space.all  # if chains should call each other in a circle
            callers = self._calls.callers(chain)
            if chain not in self._table.policies and len(callers) <= MOST_CALLERS:
                found = self._space.union([self.met(*site) for site in callers])
            self._reach[chain] = found
        return found

    def leading(self, seen: PacketSet) -> Iterator[PacketSet]:
        """Packets that rules may lead into a set, or do anything to."""
        for site, effect in self._calls.acting:
            match effect:
                case Dnat(to=to):
                    yield from self._to(site, to, seen)
                case Redirect() | Netmap():
                    yield self._anywhere(seen) & self.met(*site)
                case OpaqueTarget() | Queue():
                    yield self.met(*site)
                case _:
                    pass

    def _to(self, site: Site, to: NatRange, seen: PacketSet) -> Iterator[PacketSet]:
        space, there = self._space, seen
        if to.addresses is not None:
            there = there & space.interval(Part.DESTINATION, *to.addresses)
        if to.ports is not None:
            there = there & space.interval(Part.DESTINATION_PORT, *to.ports)
        if there.satisfiable():
            yield self._anywhere(there) & self.met(*site)

    def _anywhere(self, there: PacketSet) -> PacketSet:
        return self._space.forget(there, Part.DESTINATION, Part.DESTINATION_PORT)

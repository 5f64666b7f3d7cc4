"""A table's rules as packets walk them: all packets of all forms together, rule after rule."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from ipaddress import IPv6Address
from typing import assert_never

from planner.dataplane.nft_rules import NativeRule, meaning
from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import BudgetExceededError, PacketSet, Space
from planner.dataplane.symbolic.dispatch import Block, Dispatch, Family, as_entered
from planner.dataplane.symbolic.effects import Effects
from planner.dataplane.symbolic.form import End, Form, lost, silent
from planner.dataplane.symbolic.linear import LEAST, Stretches, hangs_on, stretches
from planner.dataplane.symbolic.match import Matcher, Place
from planner.dataplane.symbolic.shapes import Shape, packed
from planner.models.flow import Disposition
from planner.models.ruleset import Table
from planner.netfilter.condition import Condition
from planner.netfilter.effect import (
    Accept,
    Dnat,
    Drop,
    Effect,
    Goto,
    Jump,
    Masquerade,
    Netmap,
    OpaqueTarget,
    Queue,
    Redirect,
    Reject,
    Return,
    Snat,
)
from planner.netfilter.lower import lower_text

LARGE = 16
"""A chain with more rules is indexed by destination."""
SINGLE = re.compile(
    r"(?:(?:! )?-s \S+ )?(?:-d (\d+\.\d+\.\d+\.\d+(?=/32)|[0-9a-f:]+(?=/128 ))/\d+ )?"
    r"(?:-p (?:tcp|udp|sctp) (?:-m comment --comment (?:\"[^\"\\]*\"|[^\"\\\s]+) )?-m (?:tcp|udp|sctp) --dport (\d+) )?"
)
"""The one destination and the one port that a rule asks for, where they stand as iptables-save prints them."""
DEEPEST = 64
FAMILY = "rules that are alike"
"""In a path: what is drawn from here on is drawn for one family of them."""

Arrivals = dict[Form, PacketSet]
Deciding = Accept | Return | End
"""What a rule can make of a packet that it leaves as it is."""


class Chain:
    """One chain's rules; those that ask for one destination or one port are found by it."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        self.rules = rules
        self._index: Index | None = None
        self._occurrences: dict[str, list[int]] | None = None

    def candidates(self, space: Space, arrivals: Arrivals) -> Sequence[int]:
        """Positions of the rules that some of the packets may meet, in order."""
        if len(self.rules) <= LARGE:
            return range(len(self.rules))
        if self._index is None:
            self._index = Index(self.rules)
        index = self._index
        found = set(index.others)
        plain = [
            where
            for form, where in arrivals.items()
            if form.destination is None and form.destination_port is None
        ]
        if plain:
            index.look(space, space.union(plain), found)
        for form, where in arrivals.items():
            if form.destination is None and form.destination_port is None:
                continue
            if form.destination is None:
                for address in space.members(where, Part.DESTINATION, index.addresses):
                    found.update(index.by_address[address])
            elif isinstance(form.destination, int):
                found.update(index.by_address.get(form.destination, ()))
            else:
                for address in index.addresses:
                    found.update(index.by_address[address])
            ports = index.ports if form.destination_port is None else (form.destination_port,)
            for port in ports:
                found.update(index.by_port.get(port, ()))
        return sorted(found)

    def occurrence(self, at: int) -> int:
        """How many rules before this one have the same text."""
        if self._occurrences is None:
            self._occurrences = {}
            for number, text in enumerate(self.rules):
                self._occurrences.setdefault(text, []).append(number)
        same = self._occurrences[self.rules[at]]
        return same.index(at) if len(same) > 1 else 0


class Index:
    """Where the rules stand that only packets to one address, or to one port, can meet."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        self.others: list[int] = []
        self.by_address: dict[int, list[int]] = {}
        self.by_port: dict[int, list[int]] = {}
        """Rules without a single address."""
        self._both: dict[int | None, dict[int, list[int]]] = {}
        for at, text in enumerate(rules):
            single = SINGLE.match(text)
            address, port_text = single.groups() if single else (None, None)
            port = int(port_text) if port_text else None
            if address:
                number = int(IPv6Address(address)) if ":" in address else packed(address)
                self.by_address.setdefault(number, []).append(at)
                self._both.setdefault(port, {}).setdefault(number, []).append(at)
            elif port is not None:
                self.by_port.setdefault(port, []).append(at)
            else:
                self.others.append(at)
        self.addresses = sorted(self.by_address)
        self.ports = sorted(self.by_port)
        self._asked_ports = sorted({port for port in self._both if port is not None})
        self._sorted = {port: sorted(held) for port, held in self._both.items()}

    def look(self, space: Space, where: PacketSet, found: set[int]) -> None:
        """Rules for packets that are as they came."""
        for alone in space.members(where, Part.DESTINATION_PORT, self.ports):
            found.update(self.by_port[alone])
        asked: list[int | None] = [*space.members(where, Part.DESTINATION_PORT, self._asked_ports)]
        for port in (*asked, None) if None in self._both else asked:
            here = where if port is None else where & space.equals(Part.DESTINATION_PORT, port)
            for address in space.members(here, Part.DESTINATION, self._sorted[port]):
                found.update(self._both[port][address])


_LONG: dict[int, tuple[tuple[str, ...], Chain]] = {}
MOST_LONG = 256
"""Long chains that are remembered by their identity."""


def chain_of(rules: tuple[str, ...]) -> Chain:
    """Both sides share what they have in common."""
    if len(rules) <= LARGE:
        return _chain_of(rules)
    # To look for a long one by what it holds would cost as much as to read it. It is held, so that no other one gets its identity.
    held = _LONG.get(id(rules))
    if held is None:
        held = _LONG[id(rules)] = rules, _chain_of(rules)
        while len(_LONG) > MOST_LONG:
            del _LONG[next(iter(_LONG))]
    return held[1]


@lru_cache(maxsize=65536)
def _chain_of(rules: tuple[str, ...]) -> Chain:
    return Chain(rules)


@dataclass(slots=True)
class Budget:
    """How much work is left."""

    visits: int = 500_000
    """Of rules; some 60 microseconds each. A changed rule among 300,000 takes a few thousand."""

    def spend(self, visits: int) -> None:
        """Raises when nothing is left."""
        self.visits -= visits
        if self.visits < 0:
            raise BudgetExceededError("it touches more packets and rules than one analysis may look at")


@dataclass(slots=True)
class Here:
    """Where in a table packets are."""

    name: str
    path: tuple[tuple[str, str, int], ...]
    depth: int
    returned: Arrivals
    """Packets that go back to the caller."""


@dataclass(slots=True)
class Walk:
    """One pass of packets through one base chain."""

    space: Space
    matcher: Matcher
    effects: Effects
    budget: Budget
    table: Table
    place: Place
    stretches: "Stretches[Deciding]"
    dispatch: Dispatch | None = None
    """For packets that both sides treat alike."""
    accepted: Arrivals = field(default_factory=dict)
    ended: dict[End, PacketSet] = field(default_factory=dict)
    by_rule: bool = False
    """Ends by different rules are different ones."""

    def base(self, arrivals: Arrivals) -> None:
        """From the first rule to the policy."""
        chain = self.place.chain or self.place.hook.upper()
        if chain not in self.table.chains:
            join(self.accepted, arrivals.items())
            return
        left = self._push(chain, arrivals, (), 0)
        policy = self.table.policies.get(chain, "ACCEPT")
        if policy == "DROP":
            reason = f"policy of {self.table.name} {chain}"
            end = replace(silent(Disposition.DROPPED, reason), rule=reason if self.by_rule else "")
            for where in left.values():
                _join_end(self.ended, end, where)
        else:
            join(self.accepted, left.items())

    def _push(
        self, name: str, arrivals: Arrivals, path: tuple[tuple[str, str, int], ...], depth: int
    ) -> Arrivals:
        """Packets through a chain; what comes back to the caller."""
        returned: Arrivals = {}
        if name not in self.table.chains or depth > DEEPEST:
            for form, where in arrivals.items():
                self._end(lost(form, f"chain {name} of table {self.table.name} is not there"), where)
            return returned
        chain = chain_of(self.table.chains[name])
        here = Here(name, path, depth, returned)
        positions = chain.candidates(self.space, arrivals)
        blocks: list[Block] = []
        if self.dispatch is not None:
            blocks = self.dispatch.blocks(self.table, name, chain.rules, positions)
        for block in blocks:
            before = bisect_left(positions, block.start)
            arrivals = self._each(chain, positions[:before], arrivals, here)
            within = bisect_left(positions, block.end)
            arrivals = self._block(chain, block, positions[before:within], arrivals, here)
            positions = positions[within:]
        join(returned, self._each(chain, positions, arrivals, here).items())
        return returned

    def _each(self, chain: Chain, positions: Sequence[int], arrivals: Arrivals, here: "Here") -> Arrivals:
        """Packets past some rules of a chain."""
        if len(positions) < LEAST or self.place.chain:
            return self._one_by_one(chain, positions, arrivals, here)
        for (start, end), deciding in stretches(chain.rules, positions, self.space.family):
            past = self._stretch if deciding else self._one_by_one
            arrivals = past(chain, positions[start:end], arrivals, here)
        return arrivals

    def _stretch(self, chain: Chain, positions: Sequence[int], arrivals: Arrivals, here: "Here") -> Arrivals:
        """Packets past rules that do nothing but decide."""
        onward: Arrivals = {}
        asked = [hangs_on(chain.rules[at], self.space.family) for at in positions]
        anything = None in asked or self.place.hook == "postrouting"
        names = sorted({name for held in asked if held is not None for name in held})
        for form, where in arrivals.items():
            self.budget.spend(len(positions))
            looks = (form, id(self.matcher)) if anything else tuple(getattr(form, name) for name in names)
            key = (self.place, here.name, self.by_rule, looks, chain.rules, tuple(positions))
            made = partial(self._deciding, chain, positions, form, here)
            verdicts, left = self.stretches.of(key, made).among(where)
            for verdict, hit in verdicts.items():
                match verdict:
                    case Accept():
                        join(self.accepted, ((form, hit),))
                    case Return():
                        join(here.returned, ((form, hit),))
                    case End():
                        _join_end(self.ended, verdict, hit)
                    case _:
                        assert_never(verdict)
            join(onward, ((form, left),))
        return onward

    def _deciding(
        self, chain: Chain, positions: Sequence[int], form: Form, here: "Here"
    ) -> list[tuple[PacketSet, Deciding]]:
        """The packets of one form that meet each of some rules, with what that rule makes of them."""
        found: list[tuple[PacketSet, Deciding]] = []
        for at in positions:
            text = chain.rules[at]
            rule = lower_text(text, self.space.family)
            verdict = self._verdict(rule.effect, text, here.name)
            if verdict is not None:
                path = (*here.path, (here.name, text, chain.occurrence(at)))
                place = Place(self.place.hook, self.place.table, path, self.place.before_tracking)
                found.append((self.matcher.hit(self.space.all, form, rule.conditions, place), verdict))
        return found

    def _verdict(self, effect: Effect, text: str, chain: str) -> Deciding | None:
        """What a rule that only decides makes of a packet; None for nothing. Equal verdicts are told by the first rule."""
        match effect:
            case Accept() | Return():
                return effect
            case Drop() | Reject():
                end = (
                    silent(Disposition.REJECTED, text, kind=effect.kind)
                    if isinstance(effect, Reject)
                    else silent(Disposition.DROPPED, text)
                )
                return replace(end, rule=f"-t {self.place.table} -A {chain} {text}") if self.by_rule else end
            case _:
                return None

    def _one_by_one(
        self, chain: Chain, positions: Sequence[int], arrivals: Arrivals, here: "Here"
    ) -> Arrivals:
        """Packets past some rules of a chain, one after the other."""
        for at in positions:
            if not arrivals:
                break
            text = chain.rules[at]
            rule = meaning(text, self.space.family)
            path = (*here.path, (here.name, text, chain.occurrence(at)))
            place = Place(self.place.hook, self.place.table, path, self.place.before_tracking)
            hits, arrivals = self._met(rule.conditions, arrivals, place)
            if hits:
                self._act(rule.effect, hits, place, here.returned, arrivals, here.depth)
        return arrivals

    def _met(
        self, conditions: tuple[Condition, ...], arrivals: Arrivals, place: Place
    ) -> tuple[Arrivals, Arrivals]:
        """Packets that meet the conditions, and the others."""
        self.budget.spend(len(arrivals))
        hits: Arrivals = {}
        for form, where in arrivals.items():
            hit = self.matcher.hit(where, form, conditions, place)
            if hit.satisfiable():
                hits[form] = hit
        return hits, _without(arrivals, hits) if hits else arrivals

    def _block(
        self, chain: Chain, block: Block, positions: Sequence[int], arrivals: Arrivals, here: "Here"
    ) -> Arrivals:
        """Packets past rules of which none can meet two."""
        plain = {form: where for form, where in arrivals.items() if as_entered(form)}
        others = {form: where for form, where in arrivals.items() if form not in plain}
        onward = self._each(chain, positions, others, here)
        alone = [at for at in positions if at in block.alone]
        for family in block.families:
            hits = {form: where for form, where in plain.items() if (where & family.whole).satisfiable()}
            if hits:
                self._confined(family, hits, here, onward)
                plain = _without(plain, dict.fromkeys(hits, family.whole))
                self.space.tidy()
        join(onward, self._each(chain, alone, plain, here).items())
        return onward

    def _confined(self, family: Family, arrivals: Arrivals, here: "Here", onward: Arrivals) -> None:
        """Packets through the chains of a family: those of no chain come along, as that is cheaper, and are left out at the end."""
        within = replace(self, accepted={}, ended={})
        inner = Here(here.name, (*here.path, (here.name, FAMILY, family.number)), here.depth, {})
        past = within._shaped(family, family.shape, 0, arrivals, inner, self.accepted)  # noqa: SLF001 - of the same class
        for into, held in ((onward, past), (here.returned, inner.returned), (self.accepted, within.accepted)):
            join(into, ((form, where & family.whole) for form, where in held.items()))
        for end, where in within.ended.items():
            self._end(end, where & family.whole)

    def _shaped(
        self, family: Family, shape: Shape, offset: int, arrivals: Arrivals, here: "Here", led: Arrivals
    ) -> Arrivals:
        """Packets past the rules of all chains of one shape; those that get a new destination are added to `led`."""
        for number, rule in enumerate(shape.rules):
            if not arrivals:
                break
            path = (*here.path, (here.name, rule.text, number))
            place = Place(self.place.hook, self.place.table, family.drawn(path), self.place.before_tracking)
            hits, missed = self._met(rule.conditions, arrivals, place)
            for asked, at in rule.asked:
                hits = {form: family.meeting(where, asked, at + offset) for form, where in hits.items()}
            hits = {form: where for form, where in hits.items() if where.satisfiable()}
            if not hits:
                continue
            arrivals = missed if not rule.asked else _without(arrivals, hits)
            if rule.endpoint is not None:
                self._lead(family, rule.endpoint + offset, hits, led)
            elif rule.called is not None:
                below = Here(rule.text, path, here.depth + 1, {})
                self._call(family, rule.called, offset + rule.offset, hits, below, led)
                back = here.returned if isinstance(rule.effect, Goto) else arrivals
                join(back, below.returned.items())
            else:
                self._act(rule.effect, hits, place, here.returned, arrivals, here.depth)
        return arrivals

    def _call(
        self, family: Family, shape: Shape, offset: int, arrivals: Arrivals, below: "Here", led: Arrivals
    ) -> None:
        """Packets through called chains of one shape, those together that lead to the same destination."""
        parts = [family]
        if self.dispatch is not None and len(shape.endpoints) == 1:
            parts = [part for _, part in family.led(shape.endpoints[0] + offset, self.dispatch.constants)]
        for part in parts:
            here = below if part is family else replace(below, returned={})
            left = self._shaped(part, shape, offset, arrivals, here, led)
            if part is family:
                join(below.returned, left.items())
            else:
                for held in (here.returned, left):
                    join(below.returned, ((form, where & part.whole) for form, where in held.items()))

    def _lead(self, family: Family, at: int, hits: Arrivals, into: Arrivals) -> None:
        """Packets to new destinations."""
        if self.dispatch is None:  # pragma: no cover
            raise RuntimeError("a family without a dispatch")
        for (address, port), those in family.led(at, self.dispatch.constants):
            for form, where in hits.items():
                moved = form._replace(
                bound=True, translated=True, destination=address,
                    destination_port=form.destination_port if port is None else port,
                )  # fmt: skip
                join(into, ((moved, where & those.whole),))

    def _act(
        self, effect: Effect, hits: Arrivals, place: Place, returned: Arrivals, onward: Arrivals, depth: int
    ) -> None:
        """What the target does to the packets that met the rule."""
        text = place.path[-1][1]
        match effect:
            case Accept():
                join(self.accepted, hits.items())
            case Drop():
                for where in hits.values():
                    self._end(silent(Disposition.DROPPED, text), where, place)
            case Reject(kind=kind):
                for where in hits.values():
                    self._end(silent(Disposition.REJECTED, text, kind=kind), where, place)
            case Queue() | OpaqueTarget():
                for form, where in hits.items():
                    self._end(lost(form, text), where)
            case Return():
                join(returned, hits.items())
            case Jump(chain=target):
                join(onward, self._push(target, hits, place.path, depth + 1).items())
            case Goto(chain=target):
                join(returned, self._push(target, hits, place.path, depth + 1).items())
            case Dnat() | Snat() | Masquerade() | Redirect() | Netmap():
                for form, where in hits.items():
                    for part, step in self.effects.translate(effect, where, form, place, text):
                        if isinstance(step, End):
                            self._end(step, part)
                        else:
                            join(self.accepted, ((step, part),))
            case _:
                for form, where in hits.items():
                    for part, changed in self.effects.change(effect, where, form, place):
                        join(onward, ((changed, part),))

    def _end(self, end: End, where: PacketSet, place: Place | None = None) -> None:
        if self.by_rule and place is not None:
            chain, text, _ = place.path[-1]
            native = isinstance(text, NativeRule)
            rule = f"{place.table} {chain}: {text}" if native else f"-t {place.table} -A {chain} {end.reason}"
            end = replace(end, rule=rule)
        _join_end(self.ended, end, where)


def join(into: Arrivals, more: Iterable[tuple[Form, PacketSet]]) -> None:
    """Packets of equal form belong together: without this their number explodes behind every jump."""
    for form, where in more:
        if where.satisfiable():
            into[form] = into[form] | where if form in into else where


def _without(arrivals: Arrivals, hits: Arrivals) -> Arrivals:
    """What is left."""
    rest: Arrivals = {}
    for form, where in arrivals.items():
        missed = where & ~hits[form] if form in hits else where
        if missed.satisfiable():
            rest[form] = missed
    return rest


def _join_end(into: dict[End, PacketSet], end: End, where: PacketSet) -> None:
    if where.satisfiable():
        into[end] = into[end] | where if end in into else where

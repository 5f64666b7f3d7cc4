"""Rules that no packet meets any more because of a change: earlier rules take all of theirs, or none comes to their chain.

Asked in the place itself: packets as they look there, by whatever links, so that it holds for every packet and not for those of one snapshot. What is
not known of a rule counts for no rule before it and against none behind it: a rule that is told as idle is idle.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.calls import BASE, Calls, Jumps, Site
from planner.dataplane.symbolic.chains import chain_of
from planner.dataplane.symbolic.changed import Changed
from planner.dataplane.symbolic.form import Form
from planner.dataplane.symbolic.linear import HEADER
from planner.dataplane.symbolic.match import Matcher, Place, fits
from planner.dataplane.symbolic.side import Side
from planner.models.comparison import DeadRule, Idleness, RuleNumber
from planner.models.ruleset import Table
from planner.netfilter.condition import (
    AddressType,
    AllOf,
    Condition,
    ConnectionMarkIs,
    CtStateIs,
    Field,
    FieldBits,
    FieldIn,
    InBridgePort,
    InInterface,
    InSet,
    MarkIs,
    Not,
    OneOf,
    OutBridgePort,
    OutInterface,
)
from planner.netfilter.effect import (
    Accept,
    Dnat,
    Drop,
    Goto,
    Jump,
    Masquerade,
    Netmap,
    Redirect,
    Reject,
    Return,
    Snat,
)
from planner.netfilter.lower import lower_text
from planner.netfilter.mention import mentions

MOST = 100_000
"""Rules that are looked at for one comparison."""
SITES = 50
"""Calls that lead to a chain, above which packets of any sort may come to it."""
WORLDS = 64
"""Pairs of links that rules ask for."""
SMALL = 64
"""Rules of a called chain, above which it is not asked what it takes; and rules before one, above which calls do not count."""
MANY = 256
"""Rules before an old one that are looked at besides those that came."""
TAKING = (Accept, Drop, Reject, Dnat, Snat, Masquerade, Redirect, Netmap)
OTHER = "\0"
"""A link that no rule asks for."""
World = tuple[str, str, str]
"""Hook, and the links that a packet came by and leaves by."""


class TooMuchError(Exception):
    """More rules than may be looked at."""


@dataclass(slots=True)
class Held:
    """One table of one state."""

    space: Space
    matcher: Matcher
    table: Table
    jumps: Jumps
    spent: list[int]
    """Rules looked at so far, of both states."""
    _sets: dict[tuple[Condition, World], PacketSet | None] = field(default_factory=dict)
    _marking: bool | None = None

    @property
    def marking(self) -> bool:
        """Whether its rules change what other rules of it look at."""
        if self._marking is None:
            words = ("MARK ", "-j SET ", "-j TOS ", "-j DSCP ", "-j TTL ", "-j HL ", "-j ECN ")
            self._marking = mentions(self.table.chains, *words)
        return self._marking

    def known(self, condition: Condition, world: World) -> PacketSet | None:
        """Packets, as they look there, that meet a condition; None when that is not known, or may change on the way."""
        key = condition, world
        if key not in self._sets:
            self._sets[key] = self._known(condition, world)
        return self._sets[key]

    def _known(self, condition: Condition, world: World) -> PacketSet | None:
        hook, came, leaves = world
        space = self.space
        match condition:
            case InInterface(pattern=pattern):
                return space.all if fits(came, pattern) else space.none
            case OutInterface(pattern=pattern):
                return space.all if fits(leaves, pattern) else space.none
            case FieldIn(field=asked) | FieldBits(field=asked):
                plain = asked in HEADER and asked is not Field.FRAGMENT
                steady = not self.marking or asked not in {Field.TOS, Field.HOP_LIMIT}
                return self._plainly(condition, hook) if plain and steady else None
            case CtStateIs(states=states) if self.table.name != "raw" and not {"DNAT", "SNAT"} & set(states):
                return self._plainly(condition, hook)
            case AddressType(limit=""):
                return self._plainly(condition, hook)
            case MarkIs() | ConnectionMarkIs() | InSet() | InBridgePort() | OutBridgePort():
                # Whatever the answer: it is the same for all rules of the table.
                return None if self.marking else space.oracle(("idle", condition, world), text=str(condition))
            case Not(condition=inner):
                found = self.known(inner, world)
                return None if found is None else ~found
            case OneOf(conditions=parts) | AllOf(conditions=parts):
                sets = [held for part in parts if (held := self.known(part, world)) is not None]
                if len(sets) < len(parts):
                    return None
                if isinstance(condition, OneOf):
                    return space.union(sets)
                every = space.all
                for one in sets:
                    every = every & one
                return every
            case _:
                return None

    def _plainly(self, condition: Condition, hook: str) -> PacketSet:
        return self.matcher.meets(condition, Form(stage=""), Place(hook, self.table.name))

    def may(self, text: str, world: World) -> PacketSet:
        """At least every packet that meets a rule."""
        found = self.space.all
        for condition in lower_text(text, self.space.family).conditions:
            held = self.known(condition, world)
            found = found if held is None else found & held
        return found

    def must(self, text: str, world: World) -> PacketSet:
        """Packets that meet a rule for certain."""
        found = self.space.all
        for condition in lower_text(text, self.space.family).conditions:
            held = self.known(condition, world)
            if held is None:
                return self.space.none
            found = found & held
        return found

    def takes(self, text: str, world: World, depth: int = 0) -> PacketSet:
        """Packets that do not come to the rules behind one."""
        effect = lower_text(text, self.space.family).effect
        match effect:
            case Return() | Goto():
                return self.must(text, world)
            case Jump(chain=called):
                met = self.must(text, world)
                return met & self._kept(called, world, depth + 1) if met.satisfiable() else met
            case _ if isinstance(effect, TAKING):
                return self.must(text, world)
            case _:
                return self.space.none

    def _kept(self, chain: str, world: World, depth: int) -> PacketSet:
        """Packets that do not come back from a chain."""
        rules = self.table.chains.get(chain, ())
        kept = self.space.none
        if len(rules) > SMALL or depth > 3:
            return kept
        back = self.space.none
        for text in rules:
            self.spend()
            effect = lower_text(text, self.space.family).effect
            if isinstance(effect, Goto):
                met = self.must(text, world) & self._kept(effect.chain, world, depth + 1)
                kept = kept | (met & ~back)
                back = back | (self.may(text, world) & ~met)
            elif isinstance(effect, Return):
                back = back | self.may(text, world)
            else:
                kept = kept | (self.takes(text, world, depth) & ~back)
        return kept

    def spend(self) -> None:
        """One more rule is looked at."""
        self.spent[0] += 1
        if self.spent[0] > MOST:
            raise TooMuchError

    def above(self, chain: str) -> list[Site] | None:
        """Every call that may lead to a chain; None when they are many."""
        seen, todo = {chain}, [chain]
        found: list[Site] = []
        while todo:
            for site in self.jumps.callers.get(todo.pop()):
                found.append(site)
                if len(found) > SITES:
                    return None
                if site[0] not in seen:
                    seen.add(site[0])
                    todo.append(site[0])
        return found

    def coming(self, chain: str, world: World, below: frozenset[str] = frozenset()) -> PacketSet:
        """At least every packet that comes to a chain by a hook."""
        if chain in BASE:
            return self.space.all if chain == world[0].upper() else self.space.none
        if chain in below:
            return self.space.all
        return self.space.union(
            [
                self.may(self.table.chains[caller][at], world) & self.coming(caller, world, below | {chain})
                for caller, at in self.jumps.callers.get(chain)
            ]
        )

    def idle(
        self, chain: str, at: int, among: Collection[int] | None = None
    ) -> tuple[Idleness, tuple[int, ...]] | None:
        """Why no packet meets a rule, and the positions that take its packets. None: some may, or it is not known.

        `among`: only these positions are looked at.
        """
        rules = self.table.chains[chain]
        family = self.space.family
        hooks = sorted(name.lower() for name in self.jumps.bases(chain) if name in self.table.chains)
        above = self.above(chain)
        before = self.before(chain, at) if among is None else [one for one in sorted(among) if one < at]
        texts = [rules[one] for one in (*before, at)]
        texts += [self.table.chains[caller][number] for caller, number in above or ()]
        texts += [text for one in before for text in self._called(rules[one])]
        came, leaves = links_asked(lower_text(text, family).conditions for text in texts)
        worlds = [one for hook in hooks for one in _worlds(hook, came, leaves)]
        if not worlds or len(worlds) > WORLDS:
            return None
        met = False
        by: set[int] = set()
        asked: list[tuple[World, PacketSet]] = []
        for world in worlds:
            mine = self.may(rules[at], world)
            if not mine.satisfiable():
                continue
            met = True
            rest = mine = mine if above is None else mine & self.coming(chain, world)
            for one in before:
                if not rest.satisfiable():
                    break
                self.spend()
                taken = self.takes(rules[one], world)
                if (rest & taken).satisfiable():
                    by.add(one)
                    rest = rest & ~taken
            if rest.satisfiable():
                return None
            asked.append((world, mine))
        if not met:
            return None
        for one in sorted(by):
            if not any((mine & ~self.takes(rules[one], world)).satisfiable() for world, mine in asked):
                return Idleness.SHADOWED, (one,)
        return (Idleness.SHADOWED, tuple(sorted(by))) if by else (Idleness.UNREACHED, ())

    def before(self, chain: str, at: int) -> list[int]:
        """Rules before one that may take packets from it; of many only those that do so by themselves, not by what they call."""
        rules = self.table.chains[chain]
        wide = self._widely(rules[at])
        found = [one for one in chain_of(rules).candidates(self.space, {Form(stage=""): wide}) if one < at]
        if len(found) <= SMALL:
            return found
        return [one for one in found if rules[one].rpartition(" ")[2] not in self.table.chains]

    def _widely(self, text: str) -> PacketSet:
        """At least every packet that meets a rule, by whatever links."""
        found = self.space.all
        for condition in lower_text(text, self.space.family).conditions:
            if isinstance(condition, FieldIn | FieldBits) and condition.field in HEADER:
                held = self.known(condition, ("", "", ""))
                found = found if held is None else found & held
        return found

    def _called(self, text: str, depth: int = 0) -> Iterator[str]:
        match lower_text(text, self.space.family).effect:
            case Jump(chain=called) | Goto(chain=called):
                rules = self.table.chains.get(called, ())
                for inner in rules if len(rules) <= SMALL and depth < 4 else ():
                    yield inner
                    yield from self._called(inner, depth + 1)
            case _:
                pass


def links_asked(rules: Iterable[tuple[Condition, ...]]) -> tuple[list[str], list[str]]:
    """What rules ask of the links that packets come and leave by."""
    came: set[str] = set()
    leaves: set[str] = set()

    def look(condition: Condition) -> None:
        match condition:
            case InInterface(pattern=pattern):
                came.add(pattern)
            case OutInterface(pattern=pattern):
                leaves.add(pattern)
            case Not(condition=inner):
                look(inner)
            case OneOf(conditions=parts) | AllOf(conditions=parts):
                for part in parts:
                    look(part)
            case _:
                pass

    for conditions in rules:
        for condition in conditions:
            look(condition)
    return sorted(came), sorted(leaves)


def _worlds(hook: str, came: list[str], leaves: list[str]) -> Iterator[World]:
    """Packets of a hook by all links that rules tell apart: one that fits each pattern, one that fits none, and no link where there may be none."""
    ins = [""] if hook == "output" else _names(came, none=hook == "postrouting")
    outs = [""] if hook in {"prerouting", "input"} else _names(leaves, none=False)
    yield from ((hook, one, other) for one, other in product(ins, outs))


def _names(patterns: list[str], *, none: bool) -> list[str]:
    found: dict[tuple[bool, ...], str] = {}
    for name in (*(pattern.removesuffix("+") for pattern in patterns), OTHER, *([""] if none else [])):
        found.setdefault(tuple(fits(name, pattern) for pattern in patterns), name)
    return list(found.values())


class Idle:
    """What a change leaves without packets."""

    def __init__(self, space: Space, sides: tuple[Side, Side], changed: Changed, calls: Calls) -> None:
        self.space = space
        self.sides = sides
        self.changed = changed
        self.calls = calls
        self.spent = [0]
        self._held: dict[tuple[int, str, str], Held | None] = {}
        self._told: set[tuple[str, str, str, int]] = set()
        """Rules, and chains as a whole, that were looked at."""

    def found(self) -> Iterator[DeadRule]:
        """Rules that are idle after and were not before, in the order of tables and chains. Ends early where it would take too long."""
        touched: dict[tuple[str, str, str], tuple[set[int], set[int]]] = {}
        for number, backend, (table, chain, at) in self.changed.rules:
            touched.setdefault((backend, table, chain), (set(), set()))[number].add(at)
        try:
            for (backend, table, chain), (gone, come) in sorted(touched.items()):
                yield from self._in_chain(backend, table, chain, gone, come)
        except TooMuchError:
            return

    def _table(self, number: int, backend: str, name: str) -> Held | None:
        key = number, backend, name
        if key not in self._held:
            side = self.sides[number]
            table = dict(side.view.tables(name)).get(backend)
            self._held[key] = (
                None if table is None
                else Held(self.space, side.matcher, table, self.calls.of(table), self.spent)
            )  # fmt: skip
        return self._held[key]

    def _in_chain(
        self, backend: str, table: str, chain: str, gone: set[int], come: set[int]
    ) -> Iterator[DeadRule]:
        old, new = self._table(0, backend, table), self._table(1, backend, table)
        if new is None:
            return
        if chain in new.table.chains and come:
            if not new.jumps.bases(chain):
                yield from self._uncalled(old, new, backend, chain)
            else:
                behind = self._behind(new, chain, come)
                for at in behind:
                    yield from self._newly(old, new, backend, chain, at, come)
                for at in behind:
                    if at in come or len(new.before(chain, at)) <= MANY:
                        yield from self._newly(old, new, backend, chain, at)
        if old is None:
            return
        for at in sorted(gone):
            match lower_text(old.table.chains[chain][at], self.space.family).effect:
                case Jump(chain=called) | Goto(chain=called) if called in new.table.chains:
                    if not new.jumps.bases(called):
                        yield from self._uncalled(old, new, backend, called)
                    elif len(rules := new.table.chains[called]) <= SMALL:
                        for number in range(len(rules)):
                            yield from self._newly(old, new, backend, called, number)
                case _:
                    pass

    def _behind(self, new: Held, chain: str, come: set[int]) -> list[int]:
        """Rules that came, and those behind them that may have met what these take."""
        rules = new.table.chains[chain]
        taken = self.space.union([new._widely(rules[at]) for at in sorted(come)])  # noqa: SLF001 - its own helper
        first = min(come)
        return [at for at in chain_of(rules).candidates(self.space, {Form(stage=""): taken}) if at >= first]

    def _newly(
        self,
        old: Held | None,
        new: Held,
        backend: str,
        chain: str,
        at: int,
        come: Collection[int] | None = None,
    ) -> Iterator[DeadRule]:
        """The rule, if it is idle, because of the rules that came where these are told, and was not."""
        rules = new.table.chains[chain]
        new.spend()
        if (backend, new.table.name, chain, at) in self._told:
            return
        idle = new.idle(chain, at, come)
        if idle is None or not self._first(backend, new, chain, at):
            return
        former = old.table.chains.get(chain, ()) if old is not None else ()
        same = [number for number, text in enumerate(former) if text == rules[at]]
        nth = rules[:at].count(rules[at])
        if old is not None and nth < len(same):
            if not old.jumps.bases(chain) or old.idle(chain, same[nth]) is not None:
                return
            was: int | None = same[nth] + 1
        else:
            was = None
        why, by = idle
        yield DeadRule(
            family=self.space.family, backend=backend, table=new.table.name, chain=chain, rule=rules[at],
            position=at + 1, before=was, why=why,
            by=tuple(RuleNumber(position=one + 1, rule=rules[one]) for one in by),
        )  # fmt: skip

    def _first(self, backend: str, held: Held, chain: str, at: int) -> bool:
        """Whether it is looked at for the first time."""
        key = backend, held.table.name, chain, at
        if key in self._told:
            return False
        self._told.add(key)
        return True

    def _uncalled(self, old: Held | None, new: Held, backend: str, chain: str) -> Iterator[DeadRule]:
        """A chain that nothing leads to, and the chains that only it leads to."""
        seen: set[str] = set()
        todo = [chain]
        while todo:
            name = todo.pop(0)
            if name in seen or name in BASE or new.jumps.bases(name):
                continue
            seen.add(name)
            rules = new.table.chains.get(name, ())
            idle_before = old is not None and name in old.table.chains and not old.jumps.bases(name)
            if rules and not idle_before and self._first(backend, new, name, -1):
                yield DeadRule(
                    family=self.space.family, backend=backend, table=new.table.name, chain=name, rule="", position=None,
                    before=None, why=Idleness.UNCALLED, rules=len(rules),
                )  # fmt: skip
            for text in rules if len(rules) <= SMALL else ():
                match lower_text(text, self.space.family).effect:
                    case Jump(chain=called) | Goto(chain=called):
                        todo.append(called)
                    case _:
                        pass

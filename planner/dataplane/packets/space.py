"""Sets of packets as binary decision diagrams: the only module that knows which library holds them."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from oxidd.bcdd import BCDDFunction, BCDDManager
from oxidd.util import DDMemoryError

from planner.dataplane.packets.layout import WIDTHS, Part, widths_of

PacketSet = BCDDFunction
"""Equal sets are equal objects: `==`, `hash`, `&`, `|`, `~` and `satisfiable()` are what the others use."""
NODES = 1 << 26
"""Address space only: memory is touched as it is needed."""
CACHE = 1 << 20
MANY = 4_000_000
"""Nodes in memory after which those that nobody holds are freed."""
CHUNK = 0xFFFF
JOINS_A_VISIT = 16
"""Joins of sets that take about as long as a look at a rule."""
LARGEST = 2_000
"""Nodes of a set with its stand-ins opened; a larger one is made part by part."""
SOME = 64
"""So many variables for oracles are added at once."""


class BudgetExceededError(Exception):
    """The analysis needs more than it may take. Callers answer *unknown*, never *no difference*."""


def _nothing(_visits: int) -> None:
    """Nobody counts."""


class Space:
    """All packets, and the sets that can be told of them. Sets of two spaces do not mix."""

    def __init__(
        self, widths: Mapping[Part, int] = WIDTHS, *, nodes: int = NODES, family: str = "ip"
    ) -> None:
        self.family = family
        self.names: dict[Part, Sequence[str]] = {}
        """What the numbers of a field stand for, where they are numbers of something."""
        self._manager = BCDDManager(nodes, min(CACHE, nodes), 1)
        self.variables: dict[Part, range] = {}
        for part in widths:
            self.variables[part] = self._manager.add_vars(widths[part])
        self.size = self._manager.num_vars()
        """Variables of headers; those of oracles come after them."""
        self.all: PacketSet = self._manager.true()
        self.none: PacketSet = self._manager.false()
        self._bits = [self._manager.var(at) for at in range(self.size)]
        self._cubes: dict[tuple[Part, int, int], PacketSet] = {}
        self._intervals: dict[tuple[Part, int, int], PacketSet] = {}
        self._groups: dict[tuple[frozenset[Part], int], PacketSet] = {}
        self._asked: tuple[int, PacketSet] = (0, self.all)
        self._oracles: dict[Hashable, Oracle] = {}
        self.spend: Callable[[int], None] = _nothing
        """Told of work beyond the looks at rules, in the same coin: it raises BudgetExceededError where there has been enough."""
        self._joins = 0
        self._used = 0
        self._spare: list[int] = []
        self._open: list[PacketSet] = []
        """Variables of oracles and of stand-ins, in their order."""
        self._stand_ins: dict[int, StandIn] = {}
        self._known_guarded: dict[PacketSet, list[tuple[PacketSet, PacketSet]]] = {}
        self._guards: dict[int | tuple[int, ...], PacketSet] = {}
        self._pieces: dict[tuple[PacketSet, PacketSet], PacketSet] = {}
        self._below: dict[PacketSet, dict[PacketSet, PacketSet]] = {}
        self._openings: dict[PacketSet, PacketSet] = {}

    @classmethod
    def of(cls, family: str) -> "Space":
        """All packets of one family."""
        return cls(widths_of(family), family=family)

    def bits(self, part: Part, value: int, mask: int) -> PacketSet:
        """Packets with `part & mask == value`."""
        if mask & CHUNK and mask > CHUNK:
            # Halves are shared by many values, so these are kept and the library joins them.
            return self.bits(part, value & ~CHUNK, mask & ~CHUNK) & self.bits(
                part, value & CHUNK, mask & CHUNK
            )
        key = (part, value, mask)
        found = self._cubes.get(key)
        if found is None:
            variables = self.variables[part]
            found = self.all if not value & ~mask else self.none
            # From the lowest variable up: every step adds one node on top of the last.
            for bit, at in enumerate(reversed(variables)):
                if mask >> bit & 1:
                    literal = self._bits[at]
                    found = found & (literal if value >> bit & 1 else ~literal)
            self._cubes[key] = found
        return found

    def equals(self, part: Part, value: int) -> PacketSet:
        """Packets with this one value."""
        return self.bits(part, value, (1 << len(self.variables[part])) - 1)

    def having(self, part: Part, value: int, among: PacketSet) -> PacketSet:
        """Packets of a set with this one value; fastest where the set asks only for what comes behind the field."""
        whole = (1 << len(self.variables[part])) - 1
        if whole > CHUNK:
            among = self.bits(part, value & CHUNK, CHUNK) & among
            whole &= ~CHUNK
        return self.bits(part, value & whole, whole) & among

    def prefix(self, part: Part, value: int, length: int) -> PacketSet:
        """Packets whose field begins with the first `length` bits of `value`."""
        width = len(self.variables[part])
        mask = ((1 << length) - 1) << (width - length)
        return self.bits(part, value & mask, mask)

    def interval(self, part: Part, low: int, high: int) -> PacketSet:
        """Packets with `low <= field <= high`."""
        if low == high:
            return self.equals(part, low)
        key = (part, low, high)
        found = self._intervals.get(key)
        if found is None:
            above = below = self.all
            for bit, at in enumerate(reversed(self.variables[part])):
                literal = self._bits[at]
                above = literal & above if low >> bit & 1 else literal | above
                below = ~literal | below if high >> bit & 1 else ~literal & below
            found = self._intervals[key] = above & below
        return found

    def residue(self, part: Part, modulus: int, rest: int) -> PacketSet:
        """Packets with `part % modulus == rest`."""
        variables = self.variables[part]
        # From the lowest bit up, for every remainder that the bits above may have left.
        below = [self.all if left == rest else self.none for left in range(modulus)]
        for at in reversed(variables):
            literal = self._bits[at]
            below = [
                (literal & below[(2 * left + 1) % modulus]) | (~literal & below[2 * left % modulus])
                for left in range(modulus)
            ]
        return below[0]

    def inside(self, part: Part, intervals: Iterable[tuple[int, int]]) -> PacketSet:
        """Packets whose field lies in one of the intervals."""
        return self.union([self.interval(part, low, high) for low, high in intervals])

    def union(self, sets: Sequence[PacketSet]) -> PacketSet:
        """Packets of any of them."""
        layer = list(sets) or [self.none]
        # Pairwise, so that small sets are joined with small ones.
        while len(layer) > 1:
            pairs = [layer[at] | layer[at + 1] for at in range(0, len(layer) - 1, 2)]
            layer = pairs + ([layer[-1]] if len(layer) % 2 else [])
        return layer[0]

    def oracle(self, key: Hashable, *, text: str, chance: float | None = None) -> PacketSet:
        """The packets for which a question that headers cannot answer is answered yes. Equal keys, equal answers."""
        found = self._oracles.get(key)
        if found is None:
            variable, yes = self._variable()
            found = self._oracles[key] = Oracle(variable, yes, text, chance)
        return found.yes

    def _variable(self) -> tuple[int, PacketSet]:
        """One more, for what a header does not tell."""
        if not self._spare:
            self._spare = list(reversed(self._manager.add_vars(SOME)))
        variable = self._spare.pop()
        self._open.append(self._manager.var(variable))
        return variable, self._open[-1]

    def stand_in(self, make: Callable[[], PacketSet], *, group: Hashable = None) -> PacketSet:
        """What stands for a large set while others are laid on it, and is as small as a set can be; see `resolved`.

        Sets of one group have no packet in common.
        """
        variable, found = self._variable()
        self._stand_ins[variable] = StandIn(make, group=group)
        return found

    def stand_again(
        self, found: PacketSet, make: Callable[[], PacketSet], *, group: Hashable = None
    ) -> PacketSet:
        """The same stand-in, also after it was dismissed."""
        variable = found.node_var()
        if variable is not None and variable not in self._stand_ins:
            self._stand_ins[variable] = StandIn(make, group=group)
        return found

    def dismiss(self) -> None:
        """No set with a stand-in is left. What was made of those that come again is kept."""
        self._stand_ins.clear()
        self._below.clear()
        self._openings.clear()

    def simplified(self, among: PacketSet) -> PacketSet:
        """One stand-in for a set that is made of several."""
        if not self._stand_ins or self._stand_ins.keys().isdisjoint(self._variables_of(among)):
            return among
        variable, found = self._variable()
        self._stand_ins[variable] = StandIn(lambda: self.resolved(among), among)
        return self.possible(among) & found

    def resolved(self, among: PacketSet) -> PacketSet:
        """The set with every stand-in replaced by what it stands for."""
        if not self._stand_ins:
            return among
        parts: dict[PacketSet, list[PacketSet]] = {}
        self._spread(among, self.all, parts)
        pieces: dict[tuple[PacketSet, PacketSet], list[PacketSet]] = {}
        for rest, held in parts.items():
            where = self.union(held)
            for key in self._guarded(rest):
                pieces.setdefault(key, []).append(where)
        return self.union([self.union(where) & self._piece(*key) for key, where in pieces.items()])

    def _spread(self, among: PacketSet, within: PacketSet, into: dict[PacketSet, list[PacketSet]]) -> None:
        """A set as sets without headers, each with the headers that lead to it, down to what stands for no other stand-ins."""
        # Conditions on headers come first in the order: what lies below them is replaced once, whatever leads there.
        for rest, where in self._parted(among, self._below).items():
            here, opened = where & within, self._opened(rest)
            if opened == rest:
                into.setdefault(rest, []).append(here)
            else:
                self._spread(opened, here, into)

    def _opened(self, rest: PacketSet) -> PacketSet:
        """A set without headers, with the sets that some of its stand-ins stand for: joined, most of what these ask for falls away."""
        known = self._openings.get(rest)
        if known is None:
            held = [(one, self._stand_ins.get(one)) for one in sorted(self._variables_of(rest))]
            pairs = [(one, has.among) for one, has in held if has is not None and has.among is not None]
            known = rest.substitute(BCDDFunction.make_substitution(pairs)) if pairs else rest
            if pairs and known.node_count() > LARGEST:
                known = rest
            self._openings[rest] = known
        return known

    def _parted(
        self, among: PacketSet, known: dict[PacketSet, dict[PacketSet, PacketSet]]
    ) -> dict[PacketSet, PacketSet]:
        """A set as sets without headers, each with the headers that lead to it."""
        variable = among.node_var()
        if variable is None or variable >= self.size:
            return {among: self.all} if among.satisfiable() else {}
        found = known.get(among)
        pair = among.cofactors()
        if found is None and pair is not None:
            literal = self._bits[variable]
            found = {}
            for side, half in ((literal, pair[0]), (~literal, pair[1])):
                for rest, where in self._parted(half, known).items():
                    here = side & where
                    found[rest] = found[rest] | here if rest in found else here
            known[among] = found
            self._joins += len(found)
            if self._joins >= JOINS_A_VISIT:
                self.spend(self._joins // JOINS_A_VISIT)
                self._joins %= JOINS_A_VISIT
        return found or {}

    def _guarded(self, rest: PacketSet) -> "list[tuple[PacketSet, PacketSet]]":
        """A set without headers, parted by which one of a group of stand-ins a packet is of, group by group: the packets of these, and what is left to ask."""
        known = self._known_guarded.get(rest)
        if known is None:
            groups: dict[Hashable, list[int]] = {}
            for one in sorted(self._variables_of(rest)):
                held = self._stand_ins.get(one)
                if held is not None and held.group is not None:
                    groups.setdefault(held.group, []).append(one)
            several = max(groups.values(), key=len, default=[])
            known = [] if several else [(self.all, rest)]
            for chosen in (*several, None) if several else ():
                left = self._chosen_by(rest, several, chosen)
                for inner, last in self._guarded(left) if left.satisfiable() else ():
                    guard = self._guard(tuple(several) if chosen is None else chosen) & inner
                    if guard.satisfiable():
                        known.append((guard, last))
            self._known_guarded[rest] = known
        return known

    def _guard(self, chosen: int | tuple[int, ...]) -> PacketSet:
        """The packets of one stand-in, or of none of several."""
        known = self._guards.get(chosen)
        if known is None:
            if isinstance(chosen, int):
                known = self._stand_ins[chosen].made
            else:
                known = ~self.union([self._stand_ins[one].made for one in chosen])
            self._guards[chosen] = known
        return known

    def _chosen_by(self, rest: PacketSet, several: Sequence[int], chosen: int | None) -> PacketSet:
        """What is left to ask of packets of one of several stand-ins, or of none."""
        pairs = [(one, self.all if one == chosen else self.none) for one in several]
        return rest.substitute(BCDDFunction.make_substitution(pairs))

    def _piece(self, guard: PacketSet, rest: PacketSet) -> PacketSet:
        """Those of some packets that meet what is left to ask, with every stand-in replaced."""
        key = guard, rest
        known = self._pieces.get(key)
        if known is None:
            held = [one for one in sorted(self._variables_of(rest)) if one in self._stand_ins]
            pairs = [(one, self._stand_ins[one].made) for one in held]
            known = rest.substitute(BCDDFunction.make_substitution(pairs)) if pairs else rest
            known = self._pieces[key] = guard & known
            self.tidy()
        return known

    def _variables_of(self, among: PacketSet, most: int | None = None) -> set[int]:
        """The variables that membership depends on; of a large set perhaps not all."""
        seen: set[PacketSet] = set()
        found: set[int] = set()
        todo = [among]
        while todo:
            here = todo.pop()
            variable = here.node_var()
            if variable is None or here in seen or ~here in seen:
                continue
            if most is not None and len(seen) > most:
                break
            seen.add(here)
            found.add(variable)
            todo.extend(here.cofactors() or ())
        return found

    def forget(self, among: PacketSet, *parts: Part) -> PacketSet:
        """The set without regard to some fields."""
        return among.exists(self._group(frozenset(parts), asked=False))

    def assuming(self, among: PacketSet, part: Part, value: int, mask: int) -> PacketSet:
        """Packets that would be of the set if some bits of a field were others."""
        fixed = among & self.bits(part, value & mask, mask)
        lowest_first = enumerate(reversed(self.variables[part]))
        chosen = [self._bits[at] for bit, at in lowest_first if mask >> bit & 1]
        return fixed.exists(reduce(lambda cube, one: one & cube, chosen, self.all))

    def only(self, among: PacketSet, *parts: Part) -> PacketSet:
        """The set with regard to these fields alone, for some answer of every oracle."""
        return among.exists(self._group(frozenset(self.variables).difference(parts), asked=True))

    def _group(self, parts: frozenset[Part], *, asked: bool) -> PacketSet:
        """Fields, and perhaps every oracle, as the library wants them for quantifying."""
        key = (parts, len(self._open) if asked else 0)
        group = self._groups.get(key)
        if group is None:
            group = self._every_oracle() if asked else self.all
            for part in sorted(parts, key=lambda part: -self.variables[part].start):
                for at in reversed(self.variables[part]):
                    group = self._bits[at] & group
            self._groups[key] = group
        return group

    def _every_oracle(self) -> PacketSet:
        if self._asked[0] != len(self._open):
            cube = self.all
            # From the lowest variable up: the other way round every step would write the cube anew.
            for one in reversed(self._open):
                cube = one & cube
            self._asked = len(self._open), cube
        return self._asked[1]

    @property
    def unknowns(self) -> "list[Oracle]":
        """Every question so far whose answer is not drawn but not known."""
        return [oracle for oracle in self._oracles.values() if oracle.chance is None]

    @property
    def draws(self) -> "list[Oracle]":
        """Every draw so far."""
        return [oracle for oracle in self._oracles.values() if oracle.chance is not None]

    def oracles_of(self, among: PacketSet, *, most: int | None = None) -> "list[Oracle]":
        """The questions that membership depends on, in the order in which they were asked; of a large set perhaps not all."""
        if self.possible(among) == among:
            return []
        by_variable = {oracle.variable: oracle for oracle in self._oracles.values()}
        found = self._variables_of(among, most)
        return [by_variable[variable] for variable in sorted(found) if variable in by_variable]

    def possible(self, among: PacketSet, oracles: "Iterable[Oracle] | None" = None) -> PacketSet:
        """Packets that belong to it for some answers (of all oracles, when none are given)."""
        if oracles is None:
            return among.exists(self._every_oracle())
        lowest_first = sorted(oracles, key=lambda oracle: -oracle.variable)
        return among.exists(reduce(lambda one, other: other.yes & one, lowest_first, self.all))

    def certain(self, among: PacketSet, oracles: "Iterable[Oracle]") -> PacketSet:
        """Packets that belong to it whatever is answered."""
        return ~self.possible(~among, oracles)

    def members(self, among: PacketSet, part: Part, values: Sequence[int]) -> list[int]:
        """Those of the sorted values that some packet of the set has."""
        projected = self.only(among, part)
        variables = self.variables[part]
        found: list[int] = []
        width = len(variables)

        def walk(here: PacketSet, depth: int, start: int, low: int, high: int) -> None:
            if low == high or not here.satisfiable():
                return
            if here.valid():
                found.extend(values[low:high])
                return
            middle = start + (1 << (width - depth - 1))
            split = bisect_left(values, middle, low, high)
            pair = here.cofactors() if here.node_var() == variables[depth] else (here, here)
            if pair is None:  # pragma: no cover
                return
            walk(pair[1], depth + 1, start, low, split)
            walk(pair[0], depth + 1, middle, split, high)

        walk(projected, 0, 0, 0, len(values))
        return found

    def common(self, among: PacketSet, part: Part) -> tuple[int, int]:
        """The longest prefix of a field that every packet of the set has: its value, and its length."""
        here = self.only(among, part)
        value = length = 0
        for at in self.variables[part]:
            pair = here.cofactors() if here.node_var() == at else None
            if pair is None or (pair[0].satisfiable() and pair[1].satisfiable()):
                break
            value, length = value << 1 | pair[0].satisfiable(), length + 1
            here = pair[0] if pair[0].satisfiable() else pair[1]
        return value << (len(self.variables[part]) - length), length

    def share(self, among: PacketSet) -> float:
        """Part of all headers that belongs to it."""
        return self.possible(among).sat_count_float(self.size) / 2.0**self.size

    def count(self, among: PacketSet, *parts: Part) -> int:
        """Number of different values of the fields together."""
        wide = sum(len(self.variables[part]) for part in parts)
        every = self._manager.num_vars()
        return self.only(among, *parts).sat_count(every) >> (every - wide)

    def pick(self, among: PacketSet) -> dict[Part, int]:
        """One member, as small as it can be had cheaply."""
        cube = among.pick_cube()
        if cube is None:
            raise ValueError("an empty set has no member")
        return {
            part: sum(1 << bit for bit, at in enumerate(reversed(variables)) if cube[at])
            for part, variables in self.variables.items()
        }

    def collect(self) -> None:
        """Free what is no longer held. The library does not do it by itself when it is full."""
        self._manager.gc()

    def tidy(self) -> None:
        """Free it when it has become much, and much more than what was in use the last time."""
        if self.held > max(MANY, self._used * 3 // 2):
            self.collect()
            self._used = self.held

    @property
    def held(self) -> int:
        """Nodes in memory."""
        return self._manager.approx_num_inner_nodes()


@dataclass(slots=True)
class StandIn:
    """A set that is made when it is asked for."""

    make: "Callable[[], PacketSet]"
    among: "PacketSet | None" = None
    """The same with other stand-ins in it, where there is such a set."""
    group: Hashable = None
    """No packet is of two sets of one group. None: it is of no group."""
    _made: "PacketSet | None" = None

    @property
    def made(self) -> PacketSet:
        """The set itself."""
        if self._made is None:
            self._made = self.make()
        return self._made


@dataclass(frozen=True, slots=True)
class Oracle:
    """A question that a header does not answer, as a variable."""

    variable: int
    yes: PacketSet = field(repr=False)
    text: str
    chance: float | None = None
    """How often it is yes, for a draw; None for what is not known."""


OutOfNodes = DDMemoryError
"""What the library raises when it is full."""

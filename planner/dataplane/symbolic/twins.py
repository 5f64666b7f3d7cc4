"""Chains of equal shape that differ between two states: walked once on each side, and where they lead told as pairs.

A rule that sends packets to another chain stands in both states, and what it calls does not. Each side walks all such rules of one
shape together. Where they lead is not told until both sides are known: a packet that keeps its destination is one whose own rule
has the same one on both sides, which destinations that stand for others do not show.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from planner.dataplane.order import NATIVE
from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet
from planner.dataplane.symbolic.chains import FAMILY, chain_of
from planner.dataplane.symbolic.constants import Constants
from planner.dataplane.symbolic.dispatch import (
    PROTOCOLS,
    Block,
    Dispatch,
    Family,
    Pair,
    Path,
    Question,
    truths_of,
)
from planner.dataplane.symbolic.edits import Key
from planner.dataplane.symbolic.form import End, Form
from planner.dataplane.symbolic.shapes import Constant, Endpoint, Shape, Shapes
from planner.dataplane.symbolic.side import Side
from planner.models.ruleset import Table
from planner.netfilter.condition import (
    AddressType,
    Chance,
    Condition,
    ConnectionMarkIs,
    CtStateIs,
    Field,
    FieldBits,
    FieldIn,
    InInterface,
    MarkIs,
    Opaque,
    OutInterface,
)

Tables = tuple[Table, Table]
Step = Form | End
Places = tuple[int, ...]
"""Of a rule of a shape: its number, in the chain that this one calls the next number, and so on."""
Matched = tuple[tuple[Places, Places], ...]
"""Rules that draw, and draw the same on both sides."""
PLAIN = (FieldIn, FieldBits, MarkIs, ConnectionMarkIs, CtStateIs, InInterface, OutInterface, AddressType)
"""What draws nothing and is known of every packet."""
MOST = 4096
"""Constants of a shape."""
AFTER = "rules that are alike after the change"
"""In a path: what is drawn from here on is drawn by rules that were not there before."""


class EntangledError(Exception):
    """A packet may be of one family before and of another one after."""


@dataclass(slots=True, eq=False)
class Twin(Family):
    """One side of rules that are alike on both."""

    columns: dict[tuple[Field, tuple[Constant, ...]], Hashable] = field(default_factory=dict)
    """Questions that every packet answers alike are one, whichever side and whichever rule asks."""
    labels: dict[Places, Path] | None = None
    """After the change: by which paths the rules drew before it."""
    _asked: dict[Question, Hashable] = field(default_factory=dict)

    def drawn(self, path: Path) -> Path:
        """The path before the change, where the rule was there."""
        if self.labels is None:
            return path
        start = next(at for at, (_, text, _) in enumerate(path) if text == FAMILY)
        name, _, number = path[start]
        known = self.labels.get(tuple(number for _, _, number in path[start + 1 :]))
        if known is not None:
            return (*path[: start + 1], (name, *known[0][1:]), *known[1:])
        return (*path[:start], (name, AFTER, number), *path[start + 1 :])

    def _asking(self, question: Question | None) -> Hashable:
        if question is None:
            return None
        known = self._asked.get(question)
        if known is None:
            column = question[0], tuple(one[question[1]] for one in self.constants)
            known = self._asked[question] = self.columns.setdefault(column, (len(self.columns),))
        return known

    def led(self, at: int, _: Constants) -> list[tuple[Endpoint, Family]]:
        """One number for all destinations, which is no address, and told apart from those of other families."""
        return [((-(self.number * MOST + at), None), self)]


@dataclass(frozen=True, slots=True)
class Group:
    """Rules whose destinations on both sides stand for each other."""

    rules: Family
    places: tuple[int, ...]
    """Of the rules in their family."""


class Twins(Dispatch):
    """Both sides of one stage, for packets that meet something there that changed."""

    def __init__(self, base: Dispatch, tables: Tables, start: PacketSet, stage: str) -> None:
        super().__init__(base.space, base.constants, least=base.least, fewest=base.fewest)
        self.base = base
        self.turn = base.turn
        self.tables = tables
        self.start = start
        self.stage = stage
        self.sided = OneSide(self, 0), OneSide(self, 1)
        self.shapes = Shapes(tables[0], self.space.family), Shapes(tables[1], self.space.family)
        self._by_chain: dict[str, list[tuple[Block, Block]]] = {}
        self._later: dict[int, Block] = {}
        self._twins: dict[int, tuple[Twin, Twin]] = {}
        self._groups: dict[tuple[int, int | None, int | None], list[Group]] = {}
        self._drawing: dict[int, bool | None] = {}

    def of_chain(self, name: str) -> list[tuple[Block, Block]]:
        """The blocks of a chain that is the same on both sides, in order: what is asked there is asked by both."""
        known = self._by_chain.get(name)
        if known is None:
            rules, other = (table.chains.get(name, ()) for table in self.tables)
            known = self._by_chain[name] = []
            if len(rules) >= self.least and rules == other:
                # All packets that can come here as they entered, so that both sides see the same blocks.
                positions = chain_of(rules).candidates(self.space, {Form(stage=self.stage): self.start})
                if len(positions) >= self.least:
                    found = self._split(self.tables[0], rules, positions)
                    known += [(one, self._later[id(one)]) for one in found]
        return known

    def _block(self, table: Table, rules: tuple[str, ...], held: dict[Key, int]) -> Block:
        del table
        kinds: dict[Hashable, tuple[Twin, Twin]] = {}
        alone: set[int] = set()
        block = next(self.base.numbers[1])
        first = self.shapes[0]
        # Neighbours are joined first: sorted ones have most in common.
        for key in sorted(held, key=lambda key: (first.number(key[0]) if key[0] else 0, key)):
            text = rules[held[key]]
            one, other = (shapes.rule(text) for shapes in self.shapes)
            address, port = first.number(key[0]) if key[0] else None, int(key[2])
            if one is None or other is None or any(self._same(each, address, port) for each in (one, other)):
                alone.add(held[key])
                continue
            matched = self._matched_whole(one.shape, other.shape, text)
            if matched is None:
                alone.add(held[key])
                continue
            told = tuple(
                tuple(
                    each.constants[at] == (port if asked is Field.DESTINATION_PORT else address)
                    for asked, at in each.shape.answered
                )
                for each in (one, other)
            )
            kind = one.shape, other.shape, address is None, told, matched
            pair = kinds.get(kind)
            if pair is None:
                pair = kinds[kind] = self._pair(
                    (one.shape, other.shape), told, matched, block, nowhere=address is None
                )
            packets = self._packets(address, PROTOCOLS[key[1]], port)
            for twin, each in zip(pair, (one, other), strict=True):
                twin.keys.append(packets)
                twin.constants.append(each.constants)
        for shapes in self.shapes:
            shapes.forget()
        start, end = min(held.values()), max(held.values()) + 1
        found, later = (
            Block(start, end, [pair[side] for pair in kinds.values()], frozenset(alone)) for side in (0, 1)
        )
        self._later[id(found)] = later
        return found

    def _pair(
        self, shapes: tuple[Shape, Shape], told: tuple[tuple[bool, ...], ...], matched: Matched, block: int, *, nowhere: bool,
    ) -> tuple[Twin, Twin]:  # fmt: skip
        number = next(self.base.numbers[0])
        one, other = (
            Twin(self.space, shape, truths_of(shape, nowhere, truths), self.turn, number, block)
            for shape, truths in zip(shapes, told, strict=True)
        )
        other._sets, other._standing, other.columns = one._sets, one._standing, one.columns  # noqa: SLF001 - one family
        other.labels = {theirs: _path(shapes[0], mine) for mine, theirs in matched}
        self._twins[number] = one, other
        return one, other

    def _matched_whole(self, one: Shape, other: Shape, text: str) -> Matched | None:
        """Rules that draw the same on both sides; None where that cannot be told."""
        if max(one.size, other.size) >= MOST or None in {self._draws(one), self._draws(other)}:
            return None
        try:
            return tuple(self._matched(one, other, (text,), (text,)))
        except KeyError:
            return None

    def _draws(self, shape: Shape) -> bool | None:
        """Whether something is drawn in chains of a shape; None where something is not known."""
        if id(shape) not in self._drawing:
            told: list[bool | None] = [self._asks(one) for rule in shape.rules for one in rule.conditions]
            told += [self._draws(rule.called) for rule in shape.rules if rule.called is not None]
            self._drawing[id(shape)] = None if None in told else True in told
        return self._drawing[id(shape)]

    @staticmethod
    def _asks(condition: Condition) -> bool | None:
        match condition:
            case Chance():
                return True
            case Opaque(text=text) if text.startswith("-m recent --set "):
                return False
            case _:
                return False if isinstance(condition, PLAIN) else None

    def _matched(
        self, one: Shape, other: Shape, mine: Sequence[str], theirs: Sequence[str]
    ) -> Iterator[tuple[Places, Places]]:
        for at, there in _alike(mine, theirs):
            rule, its = one.rules[at], other.rules[there]
            if any(isinstance(asked, Chance) for asked in rule.conditions):
                yield (at,), (there,)
            if rule.called is None or its.called is None or not self._draws(rule.called):
                continue
            called = mine[at].rpartition(" ")[2]
            held = [table.chains[called] for table in self.tables]
            for below, beyond in self._matched(rule.called, its.called, held[0], held[1]):
                yield (at, *below), (there, *beyond)

    def told(self, pair: Pair, where: PacketSet) -> Iterator[tuple[Pair, PacketSet]]:
        """Packets with two ways, with the destinations that they have been led to."""
        leads = [self._lead(step) for step in pair]
        led = next((lead for lead in leads if lead is not None), None)
        if led is None:
            yield from self.base.paired(pair, where)
            return
        number, keys = led[0].number, led[0].keys
        mine, theirs = (None if lead is None else lead[1] for lead in leads)
        columns = mine, theirs
        if any(
            lead is None and isinstance(step, Form) and step.destination is not None
            for step, lead in zip(pair, leads, strict=True)
        ):
            # What no family led there may have the destination of any rule of this one.
            for at, key in enumerate(keys):
                yield self._real(pair, number, columns, at), where & key
            return
        for group in self._grouped(number, mine, theirs):
            part = where & group.rules.whole
            if not part.satisfiable():
                continue
            shown = self._shown(self._real(pair, number, columns, group.places[0]), columns)
            standing = {
                step.destination
                for step in shown
                if isinstance(step, Form) and isinstance(step.destination, int)
            }
            # The packet that asked for what stands for another destination is told apart from it.
            asked = self.space.union([self.space.equals(Part.DESTINATION, one) for one in sorted(standing)])
            if (part & asked).satisfiable():
                for at in group.places:
                    if (keys[at] & asked).satisfiable():
                        yield self._real(pair, number, columns, at), part & asked & keys[at]
                part = part & ~asked
            yield shown, part

    def _shown(self, real: Pair, columns: tuple[int | None, int | None]) -> Pair:
        """What stands for a pair: what stands for each where they are one or there is one; the first ones where they are two."""
        before, after = real
        if None not in columns and _destination(before) != _destination(after):
            return self.base.first_pair(before, after)
        return self.base.like(before), self.base.like(after)

    def _real(self, pair: Pair, number: int, columns: tuple[int | None, int | None], at: int) -> Pair:
        """The pair as one rule's packets have it."""
        found: list[Step] = []
        for step, twin, column in zip(pair, self._twins[number], columns, strict=True):
            endpoint = None if column is None else twin.constants[at][column]
            if isinstance(endpoint, tuple) and isinstance(step, Form):
                port = step.destination_port if endpoint[1] is None else endpoint[1]
                found.append(step._replace(destination=endpoint[0], destination_port=port))
            else:
                found.append(step)
        return found[0], found[1]

    def _grouped(self, number: int, mine: int | None, theirs: int | None) -> list[Group]:
        """The rules of a family by what stands for their destinations on both sides, and whether these are one."""
        key = number, mine, theirs
        known = self._groups.get(key)
        if known is None:
            before, after = self._twins[number]
            labels: list[Hashable] = []
            places: dict[Hashable, list[int]] = {}
            for at, (one, other) in enumerate(zip(before.constants, after.constants, strict=True)):
                left = None if mine is None else one[mine]
                right = None if theirs is None else other[theirs]
                label = self._like_endpoint(left), self._like_endpoint(right), left == right
                labels.append(label)
                places.setdefault(label, []).append(at)
            parts = before.parted(labels)
            known = self._groups[key] = [Group(rules, tuple(places[label])) for label, rules in parts]
        return known

    def _like_endpoint(self, endpoint: Constant | None) -> Endpoint | None:
        if not isinstance(endpoint, tuple):
            return None
        port = None if endpoint[1] is None else self.constants.port(endpoint[1])
        return self.constants.address(endpoint[0]), port

    def _lead(self, step: Step) -> tuple[Twin, int] | None:
        """Whose number stands for a destination."""
        if not isinstance(step, Form) or not isinstance(step.destination, int) or step.destination >= 0:
            return None
        number, at = divmod(-step.destination, MOST)
        return self._twins[number][0], at

    def product(
        self, before: Sequence[tuple[Step, PacketSet]], after: Sequence[tuple[Step, PacketSet]]
    ) -> Iterator[tuple[Pair, PacketSet]]:
        """Two ways to part one set, as one. No packet is of two families of a block."""
        if not self._twins:
            yield from crossed(before, after)
            return
        families: dict[int, list[tuple[Step, PacketSet]]] = {}
        others: list[tuple[Step, PacketSet]] = []
        for step, where in after:
            lead = self._lead(step)
            (others if lead is None else families.setdefault(lead[0].number, [])).append((step, where))
        for step, where in before:
            lead = self._lead(step)
            for number, held in families.items():
                if lead is None or lead[0].number == number:
                    yield from _met(step, where, held)
                elif not self._disjoint(lead[0], self._twins[number][1]) and any(_met(step, where, held)):
                    raise EntangledError
            yield from _met(step, where, others)

    def _disjoint(self, one: Twin, other: Twin) -> bool:
        return one.block == other.block or not (one.every & other.every).satisfiable()


class OneSide(Dispatch):
    """What one side's walk asks for."""

    def __init__(self, twins: Twins, side: int) -> None:
        super().__init__(twins.space, twins.constants)
        self.turn = twins.turn
        self._twins = twins
        self._side = side

    def blocks(
        self, table: Table, name: str, rules: tuple[str, ...], positions: Sequence[int]
    ) -> list[Block]:
        """Those of both."""
        del rules, positions
        if table is not self._twins.tables[self._side]:
            return []
        return [pair[self._side] for pair in self._twins.of_chain(name)]


def stepped(
    base: Dispatch, sides: tuple[Side, Side], form: Form, where: PacketSet
) -> list[tuple[Pair, PacketSet]] | None:
    """Packets of one form through a stage that translates, on both sides; None where it has to be told one by one."""
    tables = _tables(sides, form.stage)
    if tables is None:
        return None
    twins = Twins(base, tables, where, form.stage)
    steps = [
        [*side.step(form.stage, {form: where}, dispatch=one).items()]
        for side, one in zip(sides, twins.sided, strict=True)
    ]
    found: dict[Pair, PacketSet] = {}
    try:
        for pair, both in twins.product(steps[0], steps[1]):
            for told, part in twins.told(pair, both):
                if part.satisfiable():
                    found[told] = found[told] | part if told in found else part
    except EntangledError:
        return None
    return [(pair, base.space.simplified(part)) for pair, part in found.items()]


def _tables(sides: tuple[Side, Side], stage: str) -> Tables | None:
    """The tables of a stage that is nothing else."""
    hook, _, name = stage.partition(" ")
    found: list[Table] = []
    backends: set[str] = set()
    for side in sides:
        groups = side.view.groups(hook, name)
        if len(groups) != 1 or len(groups[0]) != 1 or groups[0][0].backend == NATIVE or groups[0][0].unplaced:
            return None
        found.append(groups[0][0].table)
        backends.add(groups[0][0].backend)
    return (found[0], found[1]) if len(backends) == 1 else None


def _met(
    step: Step, where: PacketSet, held: Sequence[tuple[Step, PacketSet]]
) -> Iterator[tuple[Pair, PacketSet]]:
    for other, part in held:
        both = where & part
        if both.satisfiable():
            yield (step, other), both


def _alike(mine: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Positions of equal rules: the first one of a text with the first one of it, and so on."""
    if mine == theirs:
        yield from ((at, at) for at in range(len(mine)))
        return
    places: dict[str, list[int]] = {}
    for at, text in enumerate(theirs):
        places.setdefault(text, []).append(at)
    for held in places.values():
        held.reverse()
    yield from ((at, places[text].pop()) for at, text in enumerate(mine) if places.get(text))


def _path(shape: Shape, places: Places) -> Path:
    """As a walk through the chains of a shape names it, from below the family on."""
    found: list[tuple[str, str, int]] = []
    name, below = "", shape
    for number in places:
        rule = below.rules[number]
        found.append((name, rule.text, number))
        if rule.called is not None:
            name, below = rule.text, rule.called
    return tuple(found)


def _destination(step: Step) -> tuple[object, object]:
    return step.destination, step.destination_port


def crossed(
    before: Sequence[tuple[Step, PacketSet]], after: Sequence[tuple[Step, PacketSet]]
) -> Iterator[tuple[Pair, PacketSet]]:
    """Two ways to part one set, as one: most parts are the same in both."""
    there = {where: step for step, where in after}
    rest: list[tuple[Step, PacketSet]] = []
    for step, where in before:
        other = there.pop(where, None)
        if other is None:
            rest.append((step, where))
        else:
            yield (step, other), where
    for step, where in rest:
        left = where
        for part, other in there.items():
            both = left & part
            if both.satisfiable():
                yield (step, other), both
                left = left & ~part
                if not left.satisfiable():
                    break

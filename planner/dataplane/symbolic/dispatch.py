"""Rules that send packets to one of thousands of chains of the same shape: walked once for all of them.

For packets that both sides treat alike. Which chain of a family a packet comes to is told by its header, and what is drawn
there is one question for the whole family: no packet comes to two chains of it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TypeVar

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.constants import Constants
from planner.dataplane.symbolic.edits import Key, key_of
from planner.dataplane.symbolic.form import End, Form
from planner.dataplane.symbolic.shapes import Constant, Endpoint, Instance, Shape, Shapes
from planner.models.ruleset import Table
from planner.netfilter.condition import Field

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
Question = tuple[Field, int]
Step = Form | End
Pair = tuple[Step, Step]
Path = tuple[tuple[str, str, int], ...]
"""Chain, text and occurrence of the rules that lead somewhere."""
Label = TypeVar("Label", bound=Hashable)
LEAST = 32
"""Rules of a chain that packets may meet, before they are looked at by families."""
FEWEST = 8
"""Rules of a block."""
PARTS = {
    Field.SOURCE: Part.SOURCE,
    Field.DESTINATION: Part.DESTINATION,
    Field.DESTINATION_PORT: Part.DESTINATION_PORT,
}


@dataclass(slots=True)
class Turn:
    """Where packets are."""

    stage: str = ""


@dataclass(slots=True, eq=False)
class Family:
    """Rules of one block that are alike, with the chains that they call.

    What is laid on its sets is laid on stand-ins, other ones in each stage, and what is drawn there is drawn for this family
    alone: so the draws come beside their stand-ins in the order of the diagrams, which would explode otherwise.
    """

    space: Space
    shape: Shape
    truths: tuple[bool | None, ...]
    """For each question about a destination or a port whether the key answers it; None: it does not."""
    turn: Turn
    number: int = 0
    """Of this family among those of its dispatch."""
    block: int = 0
    """Likewise of its block."""
    keys: list[PacketSet] = field(default_factory=list)
    """For each rule the packets that it is for."""
    constants: list[tuple[Constant, ...]] = field(default_factory=list)
    _sets: dict[Hashable, PacketSet] = field(default_factory=dict)
    _standing: dict[tuple[str, Hashable], PacketSet] = field(default_factory=dict)
    _led: "dict[int, list[tuple[Endpoint, Family]]]" = field(default_factory=dict)
    parent: "Family | None" = None
    """What it is a part of."""
    others: "tuple[Family, ...]" = ()
    """The parts of its parent before it."""
    last: bool = False
    """Whether it is all that these leave of its parent."""

    @property
    def whole(self) -> PacketSet:
        """The packets of all its rules.

        Parts of a family are told so that no packet is of two and each is of one: joined again, they are the family, and what
        parted them is not asked for.
        """
        if self.parent is None:
            return self._stand_in(None)
        found = self.parent.whole
        for one in self.others:
            found = found & ~one._stand_in(None)  # noqa: SLF001 - of the same class
        return found if self.last else found & self._stand_in(None)

    @property
    def every(self) -> PacketSet:
        """Likewise, without a stand-in."""
        return self._having(None)

    def meeting(self, where: PacketSet, asked: Field, at: int) -> PacketSet:
        """Those packets of a set that have the constant of their own chain in a field."""
        question = (asked, at)
        pairs = zip(self.shape.asked, self.truths, strict=True)
        truth = next((held for one, held in pairs if one == question), None)
        if truth is None:
            return where & self._stand_in(question)
        return where if truth else self.space.none

    def drawn(self, path: Path) -> Path:
        """By which path a rule of these chains draws."""
        return path

    def _stand_in(self, question: "Question | None") -> PacketSet:
        key = (self.turn.stage, self._asking(question))
        make = partial(self._having, question)
        # No packet meets two rules of a block.
        group = (self.turn.stage, self.block) if question is None and self.parent is None else None
        found = self._standing.get(key)
        if found is None:
            found = self._standing[key] = self.space.stand_in(make, group=group)
        return self.space.stand_again(found, make, group=group)

    def _asking(self, question: "Question | None") -> Hashable:
        """Equal for questions that every packet answers alike."""
        return question

    def _having(self, question: "Question | None") -> PacketSet:
        """Packets of the rules, all of them or those with the constant of their own chain in a field."""
        space = self.space
        asking = self._asking(question)
        found = self._sets.get(asking)
        if found is None:
            sets = self.keys
            if question is not None:
                part, at = PARTS[question[0]], question[1]
                pairs = zip(self.keys, self.constants, strict=True)
                sets = [
                    key & space.equals(part, value) for key, one in pairs if isinstance(value := one[at], int)
                ]
            found = self._sets[asking] = space.union(sets)
            space.tidy()
        return found

    def led(self, at: int, constants: Constants) -> "list[tuple[Endpoint, Family]]":
        """Destinations, each standing for those that it is like, with the rules that lead there."""
        known = self._led.get(at)
        if known is None:
            likes = [
                (constants.address(endpoint[0]), None if endpoint[1] is None else constants.port(endpoint[1]))
                for one in self.constants
                if isinstance(endpoint := one[at], tuple)
            ]
            known = self._led[at] = self.parted(likes)
            for like, group in known:
                if group is not self:
                    group._led[at] = [(like, group)]  # noqa: SLF001 - of the same class
        return known

    def parted(self, labels: "Sequence[Label]") -> "list[tuple[Label, Family]]":
        """The rules by a label that each of them has."""
        groups: dict[Label, Family] = {}
        for key, one, label in zip(self.keys, self.constants, labels, strict=True):
            group = groups.get(label)
            if group is None:
                group = groups[label] = Family(
                    self.space, self.shape, self.truths, self.turn, self.number, self.block
                )
            group.keys.append(key)
            group.constants.append(one)
        if len(groups) == 1:
            return [(label, self) for label in groups]
        before: tuple[Family, ...] = ()
        for number, group in enumerate(groups.values()):
            group.parent, group.others, group.last = self, before, number == len(groups) - 1
            before = (*before, group)
        return list(groups.items())


@dataclass(slots=True)
class Block:
    """Rules that follow each other and of which no packet can meet two."""

    start: int
    end: int
    families: list[Family]
    alone: frozenset[int]
    """Positions of those that belong to no family."""


class Dispatch:
    """The families of one side's tables."""

    def __init__(
        self, space: Space, constants: Constants, *, least: int = LEAST, fewest: int = FEWEST
    ) -> None:
        self.least = least
        self.fewest = fewest
        self.space = space
        self.constants = constants
        self.turn = Turn()
        self._pairs: dict[Pair, Pair] = {}
        self.numbers = count(1), count(1)
        """Of families, and of blocks."""
        self._shapes: dict[int, tuple[Table, Shapes]] = {}
        self._blocks: dict[tuple[int, int, tuple[int, ...]], tuple[Sequence[str], list[Block]]] = {}

    def blocks(
        self, table: Table, name: str, rules: tuple[str, ...], positions: Sequence[int]
    ) -> list[Block]:
        """The blocks of those rules of a chain that some packet may meet, in order."""
        del name
        if len(positions) < self.least:
            return []
        key = id(table), id(rules), tuple(positions)
        known = self._blocks.get(key)
        if known is None:
            known = self._blocks[key] = rules, self._split(table, rules, positions)
        return known[1]

    def joined(self, step: Form | End, where: PacketSet) -> list[tuple[Form | End, PacketSet]]:
        """What a translated packet may just as well be taken for on the rest of its way."""
        if not isinstance(step, Form) or not isinstance(step.destination, int):
            return [(step, where)]
        address = self.constants.address(step.destination)
        port = None if step.destination_port is None else self.constants.port(step.destination_port)
        # The packet that asked for what stands for another destination is told apart from it.
        asked = (
            self.space.equals(Part.DESTINATION, address) if address != step.destination else self.space.none
        )
        like = step._replace(destination=address, destination_port=port)
        return [(like, where & ~asked), (step, where & asked)]

    def paired(self, pair: Pair, where: PacketSet) -> list[tuple[Pair, PacketSet]]:
        """Likewise for a packet with two ways: two destinations stand for others only as a pair, and never become one."""
        before, after = pair
        if before == after:
            return [((like, like), part) for like, part in self.joined(before, where)]
        match before, after:
            case (Form(destination=int(one)) as mine, Form(destination=int(other)) as theirs) if one != other:
                first = self.first_pair(mine, theirs)
                if first == (mine, theirs):
                    return [(pair, where)]
                standing = [form.destination for form in first if isinstance(form.destination, int)]
                asked = self.space.union(
                    [self.space.equals(Part.DESTINATION, address) for address in standing]
                )
                return [(first, where & ~asked), (pair, where & asked)]
            case _:
                return [(pair, where)]

    def first_pair(self, before: Step, after: Step) -> Pair:
        """The first pair of those that are like it, which stands for all of them."""
        return self._pairs.setdefault((self.like(before), self.like(after)), (before, after))

    def like(self, form: Step) -> Step:
        """With the destination that stands for its own."""
        if not isinstance(form, Form) or not isinstance(form.destination, int):
            return form
        port = None if form.destination_port is None else self.constants.port(form.destination_port)
        return form._replace(destination=self.constants.address(form.destination), destination_port=port)

    def _split(self, table: Table, rules: tuple[str, ...], positions: Sequence[int]) -> list[Block]:
        found: list[Block] = []
        held: dict[Key, int] = {}
        for at in (*positions, -1):
            key = key_of(rules[at]) if at >= 0 else None
            first = next(iter(held), None)
            if key is None or key in held or (first is not None and (first[0] is None) != (key[0] is None)):
                if len(held) >= self.fewest:
                    found.append(self._block(table, rules, held))
                held = {}
            if key is not None:
                held[key] = at
        return found

    def _block(self, table: Table, rules: tuple[str, ...], held: dict[Key, int]) -> Block:
        shapes = self._shapes.setdefault(id(table), (table, Shapes(table, self.space.family)))[1]
        families: dict[tuple[Shape, bool, tuple[bool, ...]], Family] = {}
        alone: set[int] = set()
        block = next(self.numbers[1])
        # Neighbours are joined first: sorted ones have most in common.
        sorted_keys = sorted(held, key=lambda key: (shapes.number(key[0]) if key[0] else 0, key))
        for key in sorted_keys:
            instance = shapes.rule(rules[held[key]])
            address = shapes.number(key[0]) if key[0] else None
            if instance is None or self._same(instance, address, int(key[2])):
                alone.add(held[key])
                continue
            port, constants = int(key[2]), instance.constants
            told = tuple(
                constants[at] == (port if asked is Field.DESTINATION_PORT else address)
                for asked, at in instance.shape.answered
            )
            place = instance.shape, address is None, told
            family = families.get(place)
            if family is None:
                truths = truths_of(*place)
                family = families[place] = Family(
                    self.space, instance.shape, truths, self.turn, next(self.numbers[0]), block
                )
            family.keys.append(self._packets(address, PROTOCOLS[key[1]], port))
            family.constants.append(constants)
        shapes.forget()
        places = held.values()
        return Block(min(places), max(places) + 1, list(families.values()), frozenset(alone))

    def _packets(self, address: int | None, protocol: int, port: int) -> PacketSet:
        space = self.space
        # From the lowest part up: the other way round what is above would be written anew each time.
        found = space.equals(Part.DESTINATION_PORT, port)
        if address is not None:
            found = space.having(Part.DESTINATION, address, found)
        return space.equals(Part.PROTOCOL, protocol) & found

    def _same(self, instance: Instance, address: int | None, port: int) -> bool:
        """Whether some packet may be led to where it goes already, or to what stands for another destination."""
        for at in instance.shape.endpoints:
            endpoint = instance.constants[at]
            if not isinstance(endpoint, tuple):
                continue
            if address is None:
                if endpoint[1] is None or endpoint[1] == port:
                    return True
            elif address == endpoint[0] or address == self.constants.address(endpoint[0]):
                return True
        return False


def truths_of(shape: Shape, nowhere: bool, told: tuple[bool, ...]) -> tuple[bool | None, ...]:  # noqa: FBT001 - as it is grouped
    """For each question of a shape what the key answers; None: it does not."""
    answers = iter(told)
    found: list[bool | None] = []
    for asked, _ in shape.asked:
        answer = None if asked is Field.SOURCE else next(answers)
        found.append(None if asked is Field.DESTINATION and nowhere else answer)
    return tuple(found)


def as_entered(form: Form) -> bool:
    """Whether the key of a family still tells where a packet goes."""
    return form.destination is None and form.destination_port is None

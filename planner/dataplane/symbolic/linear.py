"""Long stretches of rules that only decide: joined two by two, and not walked one after the other.

The first rule that a packet meets decides. Of two neighbouring stretches the later one has what the earlier one left, so a stretch is told by what its
rules take for each verdict, and two of them joined are one again. Sets stay small until the last joins, while a walk lays every rule on all packets that
are left: eight times as long for 5,000 rules.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from planner.dataplane.packets.space import PacketSet, Space
from planner.netfilter.condition import (
    AddressType,
    AllOf,
    Condition,
    CtStateIs,
    Field,
    FieldBits,
    FieldIn,
    InInterface,
    MarkIs,
    Not,
    OneOf,
    OutInterface,
)
from planner.netfilter.effect import Accept, Continue, Drop, Log, Reject, Return
from planner.netfilter.lower import lower_text

LEAST = 32
"""Rules of a stretch, below which it is not worth while."""
MANY = 256
"""Rules that packets may meet, from which on the stretch is joined as a whole, once."""
FEW = 4
"""Verdicts."""
DECIDING = ("ACCEPT", "DROP", "RETURN", "REJECT", "LOG", "NFLOG")
Verdict = TypeVar("Verdict", bound=Hashable)
Position = tuple[int, int]


def stretches(
    rules: tuple[str, ...], positions: Sequence[int], family: str
) -> Iterator[tuple[Position, bool]]:
    """The positions cut into slices, each with whether it is a stretch of rules that only decide."""
    start = plain_from = 0
    for number, at in enumerate(positions):
        if decides(rules[at], family):
            continue
        if number - plain_from >= LEAST:
            if plain_from > start:
                yield (start, plain_from), False
            yield (plain_from, number), True
            start = number
        plain_from = number + 1
    if len(positions) - plain_from >= LEAST:
        if plain_from > start:
            yield (start, plain_from), False
        yield (plain_from, len(positions)), True
    elif start < len(positions):
        yield (start, len(positions)), False


@lru_cache(maxsize=65536)
def decides(text: str, family: str) -> bool:
    """Whether a rule does nothing to a packet but decide, by what the packet itself and its links show."""
    if not any(word in text for word in DECIDING):
        return False
    rule = lower_text(text, family)
    if isinstance(rule.effect, Log | Continue):
        return True
    return isinstance(rule.effect, Accept | Drop | Return | Reject) and all(map(_shown, rule.conditions))


def _shown(condition: Condition) -> bool:
    match condition:
        case Not(condition=inner):
            return _shown(inner)
        case OneOf(conditions=parts) | AllOf(conditions=parts):
            return all(map(_shown, parts))
        case (
            FieldIn() | FieldBits() | InInterface() | OutInterface() | CtStateIs() | MarkIs() | AddressType()
        ):
            return True
        case _:
            return False


HEADER: dict[Field, frozenset[str]] = {
    Field.PROTOCOL: frozenset(),
    Field.SOURCE: frozenset({"source"}),
    Field.DESTINATION: frozenset({"destination"}),
    Field.SOURCE_PORT: frozenset({"source_ports"}),
    Field.DESTINATION_PORT: frozenset({"destination_port"}),
    Field.ICMP_TYPE: frozenset(),
    Field.ICMP_CODE: frozenset(),
    Field.TCP_FLAGS: frozenset(),
    Field.TOS: frozenset({"tos"}),
    Field.HOP_LIMIT: frozenset({"hop_limit"}),
    Field.LENGTH: frozenset(),
    Field.FRAGMENT: frozenset(),
}
"""For fields of a header, what of a form tells whether they are as they came."""
ENTRY = frozenset({"untracked", "came"})


@lru_cache(maxsize=65536)
def hangs_on(text: str, family: str) -> frozenset[str] | None:
    """What of a form the packets that meet a rule hang on; None: it may be anything, and of the node besides."""
    found: frozenset[str] = frozenset()
    for condition in lower_text(text, family).conditions:
        asked = _asked(condition)
        if asked is None:
            return None
        found |= asked
    return found


def _asked(condition: Condition) -> frozenset[str] | None:
    match condition:
        case FieldIn(field=field) | FieldBits(field=field):
            return HEADER.get(field)
        case InInterface():
            return frozenset({"came", "bridge"})
        case CtStateIs(states=states) if not {"DNAT", "SNAT"} & set(states):
            return ENTRY
        case Not(condition=inner):
            return _asked(inner)
        case _:
            return None


class Joined(Generic[Verdict]):
    """A stretch with the packets that meet its rules, whatever comes."""

    def __init__(self, space: Space, rules: Sequence[tuple[PacketSet, Verdict]]) -> None:
        self._space = space
        self._rules = [one for one in rules if one[0].satisfiable()]
        self._whole: tuple[dict[Verdict, PacketSet], PacketSet] | None = None
        self._last: tuple[PacketSet, dict[Verdict, PacketSet], PacketSet] | None = None
        """The other side often asks the same."""

    def among(self, where: PacketSet) -> tuple[dict[Verdict, PacketSet], PacketSet]:
        """What every verdict gets of some packets, and what is left of them."""
        if self._last is None or self._last[0] != where:
            self._last = where, *self._of(where)
        return self._last[1:]

    def _of(self, where: PacketSet) -> tuple[dict[Verdict, PacketSet], PacketSet]:
        if self._whole is None:
            held = [(here, verdict) for met, verdict in self._rules if (here := met & where).satisfiable()]
            if len(held) < max(MANY, len(self._rules) // 2):
                verdicts, taken = joined(self._space, held)
                return verdicts, where & ~taken
            # Most of the rules have a part in it: so they will have in what comes by other ways.
            self._whole = joined(self._space, self._rules)
        verdicts, taken = self._whole
        parts = {verdict: here for verdict, met in verdicts.items() if (here := met & where).satisfiable()}
        return parts, where & ~taken


class Stretches(Generic[Verdict]):
    """What was joined so far: for both sides, all forms and all ways in."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._joined: dict[Hashable, Joined[Verdict]] = {}

    def of(self, key: Hashable, rules: Callable[[], Sequence[tuple[PacketSet, Verdict]]]) -> Joined[Verdict]:
        """The stretch of that key; equal keys are about equal rules that equal packets meet."""
        found = self._joined.get(key)
        if found is None:
            found = self._joined[key] = Joined(self._space, rules())
        return found


def joined(
    space: Space, rules: Sequence[tuple[PacketSet, Verdict]]
) -> tuple[dict[Verdict, PacketSet], PacketSet]:
    """For rules in their order, each with its packets and its verdict: what every verdict gets, and all that is taken.

    A verdict is told by the first rule of its kind that takes a packet.
    """
    held = [one for one in rules if one[0].satisfiable()]
    if not held:
        return {}, space.none
    counted = Counter(verdict for _, verdict in held)
    # With few verdicts, the commonest one gets what the others leave.
    common = counted.most_common(1)[0][0] if len(counted) <= FEW else None
    layer = [(met, {} if verdict == common else {verdict: met}) for met, verdict in held]
    while len(layer) > 1:
        pairs = [_pair(layer[at], layer[at + 1]) for at in range(0, len(layer) - 1, 2)]
        layer = pairs + ([layer[-1]] if len(layer) % 2 else [])
        space.tidy()
    taken, verdicts = layer[0]
    rest = taken & ~space.union([*verdicts.values()]) if common is not None else space.none
    if rest.satisfiable():
        first = next(verdict for met, verdict in held if verdict == common and (met & rest).satisfiable())
        verdicts = {first: rest, **verdicts}
    return verdicts, taken


def _pair(
    first: tuple[PacketSet, dict[Verdict, PacketSet]], second: tuple[PacketSet, dict[Verdict, PacketSet]]
) -> tuple[PacketSet, dict[Verdict, PacketSet]]:
    """Two stretches as one: the second has what the first leaves."""
    taken, verdicts = first
    left = ~taken
    found = dict(verdicts)
    for verdict, where in second[1].items():
        held = where & left
        if held.satisfiable():
            found[verdict] = found[verdict] | held if verdict in found else held
    return taken | second[0], found

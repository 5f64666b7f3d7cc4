"""Tables of nft as tables of rules: every statement in its place, in the words and the core that walks of iptables' chains know.

A rule of nft may do several things. What comes after the first is put into a chain of its own, that the rule goes to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from planner.dataplane.nft_conditions import PROTOCOLS, Reading, UnreadableError, plain
from planner.dataplane.nft_effects import SILENT, effect_of, verdict_of
from planner.dataplane.nft_words import value_words, words_of
from planner.netfilter.condition import AllOf, Chance, Condition, Field, FieldIn, Opaque
from planner.netfilter.effect import Continue, Effect, Goto, Jump, OpaqueTarget, Return
from planner.netfilter.lower import Lowered, lower_text

MOST = 4096
"""Elements of a map that become rules."""
Expression = Mapping[str, object]


class NativeRule(str):
    """A rule's text with its meaning, which the text alone does not have: a set that it asks may be another one elsewhere."""

    __slots__ = ("lowered", "place")
    lowered: Lowered
    place: int

    def __new__(cls, text: str, lowered: Lowered, place: int) -> Self:
        """`place` is the rule's 1-based position in its chain."""
        made = super().__new__(cls, text)
        made.lowered = lowered
        made.place = place
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NativeRule) and str.__eq__(self, other) and self.lowered == other.lowered

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return str.__hash__(self)


def meaning(text: str, family: str) -> Lowered:
    """What a rule means, whoever wrote it."""
    return text.lowered if isinstance(text, NativeRule) else lower_text(text, family)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A map of verdicts: for each element a condition and a verdict."""

    cases: tuple[tuple[Condition, Effect], ...]


Item = Condition | tuple[Condition, Effect] | Lookup


@dataclass(slots=True)
class Writer:
    """The chains of one table, for packets of one family."""

    reading: Reading
    maps: Mapping[str, Sequence[object]]
    chains: dict[str, list[str]] = field(default_factory=dict)

    def write(self, chain: str, rules: Sequence[Sequence[Expression]]) -> None:
        """One chain."""
        own = self.chains.setdefault(chain, [])
        for place, expressions in enumerate(rules, 1):
            text = words_of(expressions)
            self._rule(own, chain, text, place, list(self._items(expressions, text)))

    def _rule(self, into: list[str], chain: str, text: str, place: int, items: Sequence[Item]) -> None:
        conditions: list[Condition] = []
        for at, item in enumerate(items):
            rest = items[at + 1 :]
            match item:
                case Lookup(cases=cases):
                    if rest:
                        self._aside(into, chain, text, place, conditions, items[at:])
                        return
                    for asked, effect in cases:
                        into.append(_made(text, place, [*conditions, asked], effect))
                    return
                case (asked, effect):
                    if rest:
                        self._aside(into, chain, text, place, conditions, items[at:])
                        return
                    into.append(_made(text, place, [*conditions, asked], effect))
                    return
                case _:
                    conditions.append(item)
        into.append(_made(text, place, conditions, Continue()))

    def _aside(
        self, into: list[str], chain: str, text: str, place: int, conditions: Sequence[Condition], items: Sequence[Item]
    ) -> None:  # fmt: skip
        """The rest of a rule as a chain: the packet comes back from it, but where its last word is to leave this one."""
        effects = [effect for item in items for effect in _effects(item)]
        leaves = any(isinstance(effect, Return | Goto) for effect in effects)
        certain = not any(_asks(item) for item in items)
        name = f"{chain} rule {place}" + (
            f" step {len(self.chains)}" if f"{chain} rule {place}" in self.chains else ""
        )
        if leaves and not certain:
            into.append(_made(text, place, conditions, OpaqueTarget(text)))
            return
        into.append(_made(text, place, conditions, Goto(name) if leaves else Jump(name)))
        own = self.chains[name] = []
        first, *rest = items
        match first:
            case Lookup(cases=cases):
                own += [_made(text, place, [asked], effect) for asked, effect in cases]
            case (asked, effect) if _is_always(asked):
                own.append(_made(text, place, [], effect))
            case (asked, effect):
                # Without what the statement needs the rule ends there.
                self._rule(own, name, text, place, [asked, (AllOf(()), effect), *rest])
                return
            case _:
                raise AssertionError(first)
        self._rule(own, name, text, place, rest)

    def _items(self, expressions: Sequence[Expression], text: str) -> Iterator[Item]:
        protocols: frozenset[int] | None = None
        for one in expressions:
            for kind, body in one.items():
                if kind == "match":
                    asked = self.reading.condition(body, protocols)
                    protocols = _protocols(asked) or protocols
                    yield asked
                elif kind in {"limit", "quota", "ct count", "meter"}:
                    yield Opaque(f"{kind} {value_words(body)}")
                elif kind == "vmap":
                    yield self._lookup(body, text, protocols)
                elif kind == "reject" and isinstance(body, dict) and body.get("type") == "tcp reset":
                    yield self.reading.protocol(6)
                    yield effect_of(kind, body, self.reading.family, text)
                elif kind not in SILENT:
                    yield effect_of(kind, body, self.reading.family, text)

    def _lookup(self, body: object, text: str, protocols: frozenset[int] | None) -> Item:
        try:
            return Lookup(tuple(self._cases(body, protocols)))
        except (ValueError, KeyError, TypeError, ArithmeticError):
            return AllOf(()), OpaqueTarget(text)

    def _cases(self, body: object, protocols: frozenset[int] | None) -> Iterator[tuple[Condition, Effect]]:
        match body:
            case {"key": key, "data": {"set": [*elements]}}:
                pass
            case {"key": key, "data": str(name)}:
                elements = list(self.maps[name.removeprefix("@")])
            case _:
                raise ValueError(body)
        if len(elements) > MOST:
            raise ValueError(len(elements))
        drawn = isinstance(key, dict) and "numgen" in key
        last: list[tuple[Condition, Effect]] = []
        left = key["numgen"]["mod"] if drawn else 0
        for pair in elements:
            effect = _verdict(pair)
            value = plain(pair[0])
            if drawn:
                # One draw for all of them: of those that are left, each is as likely.
                if isinstance(effect, Jump | Continue) or not isinstance(value, int):
                    raise ValueError(pair)
                yield Chance(1, left), effect
                left -= 1
            elif value == "*":
                last.append((AllOf(()), effect))
            else:
                asked = self._element(key, value, protocols)
                yield asked, effect
        yield from last

    def _element(self, key: object, value: object, protocols: frozenset[int] | None) -> Condition:
        try:
            return self.reading.element(key, value, protocols)
        except (UnreadableError, KeyError, TypeError) as error:
            raise ValueError(value) from error


def _verdict(pair: object) -> Effect:
    match pair:
        case [_, {**verdict}] if len(verdict) == 1:
            ((kind, body),) = verdict.items()
            found = verdict_of(str(kind), body)
            if found is not None:
                return found
    raise ValueError(pair)


def _effects(item: Item) -> tuple[Effect, ...]:
    match item:
        case Lookup(cases=cases):
            return tuple(effect for _, effect in cases)
        case (_, effect):
            return (effect,)
        case _:
            return ()


def _asks(item: Item) -> bool:
    """Whether the rest of the rule hangs on it."""
    match item:
        case Lookup():
            return True
        case (asked, _):
            return not _is_always(asked)
        case _:
            return True


def _is_always(condition: Condition) -> bool:
    return condition == AllOf(())


def _made(text: str, place: int, conditions: Sequence[Condition], effect: Effect) -> NativeRule:
    flat = tuple(part for condition in conditions for part in _flat(condition))
    return NativeRule(text, Lowered(flat, effect), place)


def _flat(condition: Condition) -> Iterator[Condition]:
    match condition:
        case AllOf(conditions=parts):
            for part in parts:
                yield from _flat(part)
        case _:
            yield condition


def _protocols(condition: Condition) -> frozenset[int] | None:
    for part in _flat(condition):
        match part:
            case FieldIn(field=Field.PROTOCOL, intervals=intervals) if all(
                high - low < len(PROTOCOLS) for low, high in intervals
            ):
                return frozenset(number for low, high in intervals for number in range(low, high + 1))
            case _:
                pass
    return None

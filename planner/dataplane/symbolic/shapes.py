"""Chains that are alike but for their constants: one shape, and for each chain the constants in order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address
from typing import NamedTuple

from planner.models.ruleset import Table
from planner.netfilter.condition import Condition, Field, FieldIn
from planner.netfilter.effect import Dnat, Effect, Goto, Jump, NatRange
from planner.netfilter.lower import lower_text

CONSTANT = re.compile(
    r"-([sd]) ([0-9a-f.:]+)/(?:32|128)(?= )|--(dport|to-destination|comment|name) (\"[^\"\\]*\"|\S+)|-([jg]) (\S+)"
)
"""What may be another one in each chain of a shape."""
ENDPOINT = re.compile(r"(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9a-f:]+)\])(?::(\d+))?$|([0-9a-f]*:[0-9a-f:]+)$")
KINDS = {"dport": "port", "to-destination": "endpoint"}
DEEPEST = 8
LONGEST = 64
"""Rules of a chain with a shape, and of those below it."""
Endpoint = tuple[int, int | None]
Constant = int | Endpoint
Asked = tuple[Field, int]
"""A field, and which constant it must have."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Of a chain, with the chains that it calls."""

    rules: "tuple[ShapeRule, ...]"
    size: int
    """Constants, those of called chains among them."""

    @cached_property
    def asked(self) -> "tuple[Asked, ...]":
        """The fields that are compared with constants, also by called chains."""
        every: list[Asked] = []
        for rule in self.rules:
            every += rule.asked
            if rule.called is not None:
                every += [(one, at + rule.offset) for one, at in rule.called.asked]
        return tuple(every)

    @cached_property
    def answered(self) -> "tuple[Asked, ...]":
        """Of these the ones that the key of a rule may answer: about the destination and its port."""
        return tuple(one for one in self.asked if one[0] is not Field.SOURCE)

    @cached_property
    def endpoints(self) -> tuple[int, ...]:
        """Which constants are new destinations, also in called chains."""
        every: list[int] = []
        for rule in self.rules:
            if rule.endpoint is not None:
                every.append(rule.endpoint)
            if rule.called is not None:
                every += [at + rule.offset for at in rule.called.endpoints]
        return tuple(every)


@dataclass(frozen=True, slots=True, eq=False)
class ShapeRule:
    """One rule of a shape."""

    text: str
    """As the first chain of this shape has it."""
    conditions: tuple[Condition, ...]
    """Without the questions for constants."""
    asked: tuple[Asked, ...]
    """The fields that must have a constant's value."""
    effect: Effect
    endpoint: int | None = None
    """The constant that is the new destination."""
    called: Shape | None = None
    offset: int = 0
    """Where the constants of the called chain begin."""


class Instance(NamedTuple):
    """One chain of a shape."""

    shape: Shape
    constants: tuple[Constant, ...]


class Fixed(NamedTuple):
    """What several texts have in common."""

    number: int
    pattern: re.Pattern[str]
    kinds: tuple[str, ...]
    """Of the constants, in their order."""


UNREAD = Instance(Shape((), 0), ())
"""Of a chain that was not looked at yet."""


class Shapes:
    """Of one table; shapes are the same objects for equal forms."""

    def __init__(self, table: Table, family: str) -> None:
        self._table = table
        self._family = family
        self._known: dict[str, Instance | None] = {}
        self._shapes: dict[tuple[object, ...], Shape | None] = {}
        self._numbers: dict[str, int] = {}
        self._fixed: dict[int, list[Fixed]] = {}
        self._forms = 0

    def rule(self, text: str) -> Instance | None:
        """A single rule with what it calls, as if it were a chain of its own."""
        return self._read((text,), 0)

    def forget(self) -> None:
        """Free what was read of single chains; what is known of shapes is kept."""
        self._known.clear()
        self._numbers.clear()

    def _chain(self, name: str, depth: int) -> Instance | None:
        self._known[name] = None
        if depth <= DEEPEST:
            self._known[name] = self._read(self._table.chains[name], depth)
        return self._known[name]

    def _read(self, rules: tuple[str, ...], depth: int) -> Instance | None:
        # Once for each of a hundred thousand chains: what is looked up here is looked up in local names.
        if len(rules) > LONGEST:
            return None
        form, texts = self._form("\n".join(rules), len(rules))
        known, numbers, chains = self._known, self._numbers, self._table.chains
        constants: list[Constant] = []
        called: list[Instance] = []
        targets: list[object] = [form.number]
        for kind, text in zip(form.kinds, texts, strict=True):
            if kind == "address":
                value = numbers.get(text)
                constants.append(self.number(text) if value is None else value)
            elif kind == "jump":
                if text in chains:
                    instance = known.get(text, UNREAD)
                    if instance is UNREAD:
                        instance = self._chain(text, depth + 1)
                    if instance is None:
                        return None
                    called.append(instance)
                    targets.append(instance.shape)
                else:
                    targets.append(text)
            elif kind == "endpoint":
                # An endpoint asks first whether it is itself that a packet is from: its address is known by then.
                address, _, port = text.partition(":")
                value = numbers.get(address)
                plain = (value, int(port)) if value is not None and port.isdigit() else self._endpoint(text)
                if plain is None:
                    return None
                constants.append(plain)
            elif text.isdigit():
                constants.append(int(text))
            else:
                return None
        key = tuple(targets)
        if key not in self._shapes:
            self._shapes[key] = self._shape(rules, constants, [one.shape for one in called])
        shape = self._shapes[key]
        if shape is None:
            return None
        for one in called:
            constants += one.constants
        return Instance(shape, tuple(constants))

    def _form(self, text: str, count: int) -> tuple[Fixed, Sequence[str]]:
        """What is fixed in a text, and its constants."""
        known = self._fixed.setdefault(count, [])
        for at, form in enumerate(known):
            found = form.pattern.fullmatch(text)
            if found is not None:
                if at:
                    known.insert(0, known.pop(at))
                return form, found.groups()
        parts = CONSTANT.split(text)
        made, kinds_made, texts = [re.escape(parts[0])], [], []
        # In each group of seven: side and address; option and value; jump or goto and target; the text after.
        for start in range(1, len(parts), 7):
            side, address, option, value, jump, target, after = parts[start : start + 7]
            if side is not None:
                made.append(rf"-{side} ([0-9a-f.:]+)/(?:32|128)")
                kinds_made.append("address")
                texts.append(address)
            elif jump is not None:
                made.append(rf"-{jump} (\S+)")
                kinds_made.append("jump")
                texts.append(target)
            elif option in KINDS:
                made.append(rf"--{option} ([^\s\"]+)")
                kinds_made.append(KINDS[option])
                texts.append(value)
            else:
                made.append(rf'--{option} (?:"[^"\\]*"|[^\s"]+)')
            made.append(re.escape(after))
        self._forms += 1
        form = Fixed(self._forms, re.compile("".join(made)), tuple(kinds_made))
        known.insert(0, form)
        return form, texts

    def _endpoint(self, text: str) -> Endpoint | None:
        found = ENDPOINT.match(text)
        if found is None:
            return None
        four, six, port, bare = found.groups()
        return self.number(four or six or bare), int(port) if port else None

    def number(self, text: str) -> int:
        """An address."""
        value = self._numbers.get(text)
        if value is None:
            value = self._numbers[text] = int(IPv6Address(text)) if ":" in text else packed(text)
        return value

    def _shape(self, rules: tuple[str, ...], constants: list[Constant], called: list[Shape]) -> Shape | None:
        """The meaning of the first chain of its form."""
        made: list[ShapeRule] = []
        at, offset, next_called = 0, len(constants), iter(called)
        for text in rules:
            lowered = lower_text(text, self._family)
            conditions = list(lowered.conditions)
            asked: list[Asked] = []
            endpoint: int | None = None
            target: Shape | None = None
            start = offset
            for found in CONSTANT.finditer(text):
                side, _, option, _, jump, name = found.groups()
                if side is not None or option == "dport":
                    field_of = {"s": Field.SOURCE, "d": Field.DESTINATION, None: Field.DESTINATION_PORT}[side]
                    value = constants[at]
                    if not isinstance(value, int) or FieldIn(field_of, ((value, value),)) not in conditions:
                        return None  # negated, or not what it looks like
                    conditions.remove(FieldIn(field_of, ((value, value),)))
                    asked.append((field_of, at))
                    at += 1
                elif option == "to-destination":
                    endpoint = at
                    at += 1
                elif jump is not None and name in self._table.chains:
                    target = next(next_called)
                    offset += target.size
            plain = CONSTANT.sub("", text)
            if '"' in plain or "\\" in plain or not self._simple(lowered.effect, endpoint, target):
                return None
            made.append(
                ShapeRule(text, tuple(conditions), tuple(asked), lowered.effect, endpoint, target, start)
            )
        size = len(constants) + sum(shape.size for shape in called)
        return Shape(tuple(made), size)

    @staticmethod
    def _simple(effect: Effect, endpoint: int | None, target: Shape | None) -> bool:
        """Whether the constants that were seen are all that the effect hangs on."""
        match effect:
            case Jump() | Goto():
                return target is not None and endpoint is None
            case Dnat(to=NatRange(addresses=addresses, ports=ports, base_port=None)):
                single = addresses is not None and addresses[0] == addresses[1]
                return (
                    endpoint is not None
                    and target is None
                    and single
                    and (ports is None or ports[0] == ports[1])
                )
            case _:
                return endpoint is None and target is None


def packed(address: str) -> int:
    """Faster than the general reader of addresses, and there may be a hundred thousand."""
    return int.from_bytes(bytes(map(int, address.split("."))))

"""What one rule asks of a packet and does to it, or that this cannot be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from planner.netfilter.condition import (
    AllOf,
    Chance,
    Condition,
    Field,
    FieldIn,
    InInterface,
    Interval,
    Not,
    OneOf,
    Opaque,
    OutInterface,
    field_in,
    masked,
    opaque_parts,
)
from planner.netfilter.effect import (
    Accept,
    Alter,
    Continue,
    Dnat,
    Drop,
    Effect,
    Goto,
    Jump,
    Log,
    Masquerade,
    Netmap,
    OpaqueTarget,
    Queue,
    Redirect,
    Reject,
    Return,
    Snat,
)
from planner.netfilter.extension import Context, Use, Verbatim
from planner.netfilter.problem import RuleError
from planner.netfilter.registry import find_match, find_target
from planner.netfilter.rule import Jump as JumpTo
from planner.netfilter.rule import Rule, parse_rule


@dataclass(frozen=True, slots=True)
class Reading:
    """One rule, lowered."""

    text: str
    conditions: tuple[Condition, ...]
    """All must hold."""
    effect: Effect
    problem: str = ""
    """Why it could not be read; the effect is then opaque."""

    @property
    def always(self) -> bool:
        """Matches every packet."""
        return not self.conditions

    @property
    def opaque(self) -> str:
        """The first part that is not modelled, as text; empty when all is."""
        if isinstance(self.effect, OpaqueTarget):
            return self.effect.text
        return next((part.text for condition in self.conditions for part in opaque_parts(condition)), "")

    @property
    def accepts(self) -> bool:
        """Ends with ACCEPT."""
        return isinstance(self.effect, Accept)

    @property
    def drops(self) -> bool:
        """Ends with DROP or REJECT."""
        return isinstance(self.effect, Drop | Reject)

    @property
    def harmless(self) -> bool:
        """Whether it leaves every packet as it was, and on its way."""
        return isinstance(self.effect, Continue | Log | Alter) and not self.problem

    @property
    def rewrites_source(self) -> bool:
        """SNAT or MASQUERADE."""
        return isinstance(self.effect, Snat | Masquerade)

    @property
    def rewrites(self) -> bool:
        """Any translation."""
        return isinstance(self.effect, Snat | Masquerade | Dnat | Redirect | Netmap)

    def values(self, field: Field) -> tuple[Interval, ...] | None:
        """What the field is confined to; None when the rule does not ask."""
        for condition in self.conditions:
            if isinstance(condition, FieldIn) and condition.field is field:
                return condition.intervals
        return None

    @property
    def limited(self) -> bool:
        """Matches only now and then: by a rate or by chance."""
        return any(_is_limit(condition) for condition in self.conditions)


def _is_limit(condition: Condition) -> bool:
    match condition:
        case Chance():
            return True
        case Not(condition=inner):
            return _is_limit(inner)
        case OneOf(conditions=parts) | AllOf(conditions=parts):
            return any(_is_limit(part) for part in parts)
        case _:
            return any(part.text.startswith(("-m limit", "-m hashlimit")) for part in opaque_parts(condition))


@lru_cache(maxsize=32768)
def read(text: str, family: str) -> Reading:
    """The rule that a text is."""
    try:
        rule = parse_rule(text, family)
    except RuleError as error:
        return Reading(text, (), OpaqueTarget(text), str(error))
    return Reading(text, tuple(_conditions(rule)), _effect(rule))


def _conditions(rule: Rule) -> Iterator[Condition]:
    for name, prefix in ((Field.SOURCE, rule.source), (Field.DESTINATION, rule.destination)):
        if prefix is not None:
            yield masked(name, prefix.value, prefix.mask, family=rule.family, inverted=prefix.inverted)
    if rule.in_interface is not None:
        came = InInterface(rule.in_interface.pattern)
        yield Not(came) if rule.in_interface.inverted else came
    if rule.out_interface is not None:
        leaves = OutInterface(rule.out_interface.pattern)
        yield Not(leaves) if rule.out_interface.inverted else leaves
    if rule.protocol is not None:
        number = rule.protocol.number
        yield field_in(
            Field.PROTOCOL, ((number, number),), family=rule.family, inverted=rule.protocol.inverted
        )
    if rule.fragment is not None:
        yield FieldIn(Field.FRAGMENT, ((int(rule.fragment), int(rule.fragment)),))
    for used in rule.matches:
        match = find_match(used.extension) if isinstance(used, Use) else None
        if match is None or not isinstance(used, Use):
            yield Opaque(f"-m {used.extension}")
        else:
            yield from match.lower(used, _context(rule))


def _context(rule: Rule) -> Context:
    asked = rule.protocol
    return Context(rule.family, None if asked is None or asked.inverted else asked.number)


def _effect(rule: Rule) -> Effect:
    match rule.target:
        case None:
            return Continue()
        case JumpTo(chain=chain, goto=True):
            return Goto(chain)
        case JumpTo(chain="ACCEPT"):
            return Accept()
        case JumpTo(chain="DROP"):
            return Drop()
        case JumpTo(chain="RETURN"):
            return Return()
        case JumpTo(chain="QUEUE"):
            return Queue(bypass=False, text="-j QUEUE")
        case JumpTo(chain=chain):
            return Jump(chain)
        case Use() as used:
            target = find_target(used.extension)
            return (
                OpaqueTarget(f"-j {used.extension}") if target is None else target.lower(used, _context(rule))
            )
        case Verbatim(extension=name):
            return OpaqueTarget(f"-j {name}")
        case _:
            assert_never(rule.target)

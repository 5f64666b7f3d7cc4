"""A rule's text to its meaning: a conjunction of conditions, and one effect."""

from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from planner.netfilter.condition import (
    Condition,
    Field,
    InInterface,
    Not,
    Opaque,
    OutInterface,
    field_in,
    masked,
)
from planner.netfilter.effect import Accept, Continue, Drop, Effect, Goto, OpaqueTarget, Queue, Return
from planner.netfilter.effect import Jump as JumpTo
from planner.netfilter.extension import Context, Use, Verbatim
from planner.netfilter.problem import RuleError
from planner.netfilter.registry import find_match, find_target
from planner.netfilter.rule import Jump, Rule, emit_match, emit_target, parse_rule


@dataclass(frozen=True, slots=True)
class Lowered:
    """What a rule means. A packet meets it when every condition holds."""

    conditions: tuple[Condition, ...]
    effect: Effect
    basic: int = 0
    """So many conditions, the first ones, need no extension: they are looked at before any of those."""


def context_of(rule: Rule) -> Context:
    """What extensions may know."""
    protocol = rule.protocol
    return Context(rule.family, None if protocol is None or protocol.inverted else protocol.number)


def lower_basic(rule: Rule) -> tuple[Condition, ...]:
    """Addresses, links, protocol, fragment."""
    family = rule.family
    conditions: list[Condition] = []
    for field, prefix in ((Field.SOURCE, rule.source), (Field.DESTINATION, rule.destination)):
        if prefix is not None:
            conditions.append(
                masked(field, prefix.value, prefix.mask, family=family, inverted=prefix.inverted)
            )
    if rule.in_interface is not None:
        came = InInterface(rule.in_interface.pattern)
        conditions.append(Not(came) if rule.in_interface.inverted else came)
    if rule.out_interface is not None:
        leaves = OutInterface(rule.out_interface.pattern)
        conditions.append(Not(leaves) if rule.out_interface.inverted else leaves)
    if rule.protocol is not None:
        number = rule.protocol.number
        conditions.append(
            field_in(Field.PROTOCOL, ((number, number),), family=family, inverted=rule.protocol.inverted)
        )
    if rule.fragment is not None:
        late = int(rule.fragment)
        conditions.append(field_in(Field.FRAGMENT, ((late, late),), family=family))
    return tuple(conditions)


def lower_rule(rule: Rule) -> tuple[Condition, ...]:
    """Every condition of a rule. Matches that are not known here become `Opaque`."""
    conditions = list(lower_basic(rule))
    context = context_of(rule)
    for used in rule.matches:
        match used:
            case Verbatim():
                conditions.append(Opaque(emit_match(used, rule.family)))
            case Use(extension=name):
                extension = find_match(name)
                if extension is None:  # pragma: no cover
                    raise KeyError(name)
                conditions.extend(extension.lower(used, context))
            case _:
                assert_never(used)
    return tuple(conditions)


def lower_target(rule: Rule) -> Effect:
    """What the target does."""
    match rule.target:
        case None:
            return Continue()
        case Jump(chain=chain, goto=True):
            return Goto(chain)
        case Jump(chain="ACCEPT"):
            return Accept()
        case Jump(chain="DROP"):
            return Drop()
        case Jump(chain="RETURN"):
            return Return()
        case Jump(chain="QUEUE"):
            return Queue(bypass=False, text="-j QUEUE")
        case Jump(chain=chain):
            return JumpTo(chain)
        case Verbatim():
            return OpaqueTarget(emit_target(rule.target, rule.family))
        case Use(extension=name):
            extension = find_target(name)
            if extension is None:  # pragma: no cover
                raise KeyError(name)
            return extension.lower(rule.target, context_of(rule))
        case _:
            assert_never(rule.target)


@lru_cache(maxsize=32768)
def lower_text(text: str, family: str) -> Lowered:
    """The meaning of a rule's text. A text that cannot be read is opaque as a whole: it may match and do anything."""
    try:
        rule = parse_rule(text, family)
    except RuleError as error:
        whole = f"{text} ({error})"
        return Lowered((Opaque(whole),), OpaqueTarget(whole))
    return Lowered(lower_rule(rule), lower_target(rule), len(lower_basic(rule)))

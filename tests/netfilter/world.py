"""A second, simple reading of conditions: one packet, looked at value by value. For tests only."""

from dataclasses import dataclass
from typing import assert_never

from planner.netfilter.condition import (
    AddressType,
    AllOf,
    Chance,
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
    Opaque,
    OutBridgePort,
    OutInterface,
)  # fmt: skip
from planner.netfilter.effect import (
    Accept,
    Continue,
    Drop,
    Effect,
    Reject,
    Return,
    SetBits,
    SetMark,
)  # fmt: skip
from planner.netfilter.lower import Lowered


@dataclass
class Packet:
    """What a rule may look at. A field that is missing is not in `fields`."""

    fields: dict[Field, int]
    mark: int
    state: frozenset[str]
    came: str
    leaves: str
    members: frozenset[str]


def fits(name: str, pattern: str) -> bool:
    """A link's name and a pattern."""
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


def holds(condition: Condition, packet: Packet) -> bool:
    """Whether a packet meets a condition."""
    match condition:
        case FieldIn(field=field, intervals=intervals):
            return field in packet.fields and any(
                low <= packet.fields[field] <= high for low, high in intervals
            )
        case FieldBits(field=field, mask=mask, value=value):
            return field in packet.fields and packet.fields[field] & mask == value
        case MarkIs(value=value, mask=mask):
            return packet.mark & mask == value
        case CtStateIs(states=states):
            return not packet.state.isdisjoint(states)
        case InInterface(pattern=pattern):
            return fits(packet.came, pattern)
        case OutInterface(pattern=pattern):
            return fits(packet.leaves, pattern)
        case InSet(name=name):
            return name in packet.members
        case Not(condition=inner):
            return not holds(inner, packet)
        case OneOf(conditions=parts):
            return any(holds(part, packet) for part in parts)
        case AllOf(conditions=parts):
            return all(holds(part, packet) for part in parts)
        case ConnectionMarkIs() | InBridgePort() | OutBridgePort() | AddressType() | Chance() | Opaque():
            raise NotImplementedError(condition)
        case _:
            assert_never(condition)


def act(effect: Effect, packet: Packet) -> str:
    """What becomes of it: a verdict, or nothing when it goes on."""
    match effect:
        case Accept() | Drop() | Return() | Reject():
            return repr(effect)
        case SetMark(value=value, mask=mask):
            packet.mark = (packet.mark & ~mask & 0xFFFFFFFF) ^ value
        case SetBits(field=field, value=value, mask=mask):
            if field in packet.fields:
                packet.fields[field] = (packet.fields[field] & ~mask & 0xFF) ^ value
        case Continue():
            pass
        case _:
            raise NotImplementedError(effect)
    return ""


def run(rules: list[Lowered], packet: Packet) -> tuple[str, int, tuple[tuple[Field, int], ...]]:
    """A chain: the verdict, and what is left of the packet."""
    here = Packet(dict(packet.fields), packet.mark, packet.state, packet.came, packet.leaves, packet.members)
    for rule in rules:
        if all(holds(condition, here) for condition in rule.conditions):
            verdict = act(rule.effect, here)
            if verdict:
                return verdict, here.mark, tuple(sorted(here.fields.items()))
    return "", here.mark, tuple(sorted(here.fields.items()))

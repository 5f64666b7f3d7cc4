"""What a node's filter tables do with a packet of which some fields are known: let in, drop, or not known.

A judge asks about a handful of packets that a node lives by. Three values: a condition that needs a field which the
packet does not tell leaves both ways open. This is not a trace: translations are not followed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from planner.models.node import NodeState
from planner.models.ruleset import Table
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
)
from planner.netfilter.effect import (
    Accept,
    Drop,
    Effect,
    Goto,
    Jump,
    OpaqueTarget,
    Queue,
    Reject,
    RestoreMark,
    Return,
    SetMark,
)
from planner.risks.netfilter.reading import read

PORTS = frozenset({6, 17, 132, 33, 136})
"""Protocols with ports."""
DEEPEST = 64


class Fate(StrEnum):
    """How it ends."""

    PASSES = "passes"
    DROPPED = "dropped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet that a node lives by."""

    hook: str
    """INPUT, FORWARD or OUTPUT."""
    family: str = "ip"
    fields: dict[Field, int] = field(default_factory=dict)
    in_link: str = ""
    out_link: str = ""
    states: frozenset[str] = frozenset()
    """Connection states that hold; empty: not known."""
    mark: int | None = 0

    def __hash__(self) -> int:
        return hash(
            (
                self.hook,
                self.family,
                tuple(sorted(self.fields.items())),
                self.in_link,
                self.out_link,
                self.states,
            )
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a packet was dropped: a rule of a chain, or the policy when `rule` is empty."""

    backend: str
    table: str
    chain: str
    rule: str = ""


@dataclass(slots=True)
class Walk:
    """What is known of a packet's way so far."""

    packet: Packet
    mark: int | None
    passed: list[tuple[str, str, str]] = field(default_factory=list)
    """Chains that it went through: backend, table, chain."""
    dropped: Place | None = None
    """The first place where it may have been dropped."""
    doubt: str = ""
    """The first rule of which it is not known whether it decided."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Fate of one packet on one node."""

    fate: Fate
    dropped: Place | None = None
    """Where, when it is dropped for certain."""
    chains: frozenset[tuple[str, str, str]] = frozenset()
    doubtful: str = ""
    """The first rule that left it open."""


def fate(state: NodeState, packet: Packet) -> Answer:
    """The packet through raw, mangle and filter of both backends: a drop in any of them is the end of it."""
    # Both backends hang on the same hooks, and NF_DROP of either ends the packet (measured: a DROP in one wins).
    unknown = ""
    chains: set[tuple[str, str, str]] = set()
    walk = Walk(packet, packet.mark)
    for backend, table, hook in _stations(state, packet):
        rules = state.ruleset(packet.family, backend)
        if rules is None or table not in rules.tables or hook not in rules.tables[table].chains:
            continue
        ends, returns = _through(rules.tables[table], hook, walk, backend, 0)
        if returns:
            drops = rules.tables[table].policies.get(hook) == "DROP"
            ends = ends | {Fate.DROPPED if drops else Fate.PASSES}
            if drops:
                walk.dropped = walk.dropped or Place(backend, table, hook)
        if ends == {Fate.DROPPED}:
            return Answer(Fate.DROPPED, walk.dropped, frozenset(walk.passed))
        if ends != {Fate.PASSES}:
            unknown = unknown or walk.doubt or f"{table} {hook}"
        walk.dropped = None
    chains.update(walk.passed)
    return Answer(Fate.UNKNOWN if unknown else Fate.PASSES, None, frozenset(chains), unknown)


def _stations(state: NodeState, packet: Packet) -> Iterator[tuple[str, str, str]]:
    """Tables in the order of their priorities (include/uapi/linux/netfilter_ipv4.h)."""
    backends = sorted({rules.backend for rules in state.rulesets if rules.family == packet.family})
    for table, hook in STATIONS[packet.hook]:
        for backend in backends:
            yield backend, table, hook


STATIONS = {
    "INPUT": (("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("mangle", "INPUT"), ("filter", "INPUT")),
    "FORWARD": (
        ("raw", "PREROUTING"),
        ("mangle", "PREROUTING"),
        ("mangle", "FORWARD"),
        ("filter", "FORWARD"),
    ),
    "OUTPUT": (("raw", "OUTPUT"), ("mangle", "OUTPUT"), ("filter", "OUTPUT")),
}


def _through(table: Table, chain: str, walk: Walk, backend: str, depth: int) -> tuple[set[Fate], bool]:
    """Ends that are possible in this chain, and whether the packet can come back to the caller."""
    walk.passed.append((backend, table.name, chain))
    ends: set[Fate] = set()
    if depth > DEEPEST or chain not in table.chains:
        walk.doubt = walk.doubt or f"{table.name} {chain}"
        return {Fate.UNKNOWN}, True
    returned = False
    for text in table.chains[chain]:
        reading = read(text, walk.packet.family)
        met = None if reading.problem else all_hold(reading.conditions, walk)
        if met is False:
            continue
        sure = met is True
        if not sure and not reading.harmless:
            walk.doubt = walk.doubt or text
        match reading.effect:
            case Accept():
                ends.add(Fate.PASSES)
            case Drop() | Reject():
                ends.add(Fate.DROPPED)
                walk.dropped = walk.dropped or Place(backend, table.name, chain, text)
            case Queue() | OpaqueTarget():
                ends.add(Fate.UNKNOWN)
                walk.doubt = walk.doubt or text
                sure = sure and isinstance(reading.effect, Queue)
            case Return():
                returned = True
            case Jump(chain=target) | Goto(chain=target):
                inner, comes_back = _through(table, target, walk, backend, depth + 1)
                ends |= inner
                if isinstance(reading.effect, Goto):
                    returned = returned or comes_back
                else:
                    sure = sure and not comes_back
            case _ if reading.rewrites:
                ends.add(Fate.PASSES)
            case effect:
                walk.mark = _marked(effect, walk.mark, sure=sure)
                continue
        if sure:
            return ends, returned
    return ends, True


def _marked(effect: Effect, mark: int | None, *, sure: bool) -> int | None:
    """The packet's mark after a rule that goes on."""
    match effect:
        case SetMark(value=value, mask=mask):
            return (mark & ~mask) ^ value if sure and mark is not None else None
        case RestoreMark():
            return None
        case _:
            return mark


def all_hold(conditions: tuple[Condition, ...], walk: Walk) -> bool | None:
    """Whether every condition holds; None when it depends on what is not known."""
    answers = [holds(condition, walk) for condition in conditions]
    if False in answers:
        return False
    return None if None in answers else True


def holds(condition: Condition, walk: Walk) -> bool | None:
    """One condition, in three values."""
    packet = walk.packet
    match condition:
        case FieldIn(field=name, intervals=intervals):
            value = _value(packet, name)
            if value is None:
                return None
            return value >= 0 and any(low <= value <= high for low, high in intervals)
        case FieldBits(field=name, mask=mask, value=wanted):
            value = _value(packet, name)
            if value is None:
                return None
            return value >= 0 and value & mask == wanted
        case MarkIs(value=wanted, mask=mask):
            return None if walk.mark is None else walk.mark & mask == wanted
        case CtStateIs(states=states):
            return _state(packet.states, states)
        case InInterface(pattern=pattern):
            return _named(packet.in_link, pattern) if packet.hook != "OUTPUT" else False
        case OutInterface(pattern=pattern):
            return _named(packet.out_link, pattern) if packet.hook != "INPUT" else False
        case AddressType(side="destination", types=types, limit=""):
            local = packet.hook == "INPUT"
            if "LOCAL" in types:
                return True if local else None if packet.hook == "OUTPUT" else False
            return False if local and set(types) <= {"BROADCAST", "MULTICAST", "ANYCAST"} else None
        case Not(condition=inner):
            answer = holds(inner, walk)
            return None if answer is None else not answer
        case AllOf(conditions=parts):
            return all_hold(parts, walk)
        case OneOf(conditions=parts):
            answers = [holds(part, walk) for part in parts]
            return True if True in answers else None if None in answers else False
        case (
            ConnectionMarkIs()
            | AddressType()
            | InBridgePort()
            | OutBridgePort()
            | InSet()
            | Chance()
            | Opaque()
        ):
            return None
        case _:
            assert_never(condition)


def _value(packet: Packet, name: Field) -> int | None:
    """The value, None when not known, -1 when such a packet has no such field."""
    if name in packet.fields:
        return packet.fields[name]
    protocol = packet.fields.get(Field.PROTOCOL)
    if name in {Field.SOURCE_PORT, Field.DESTINATION_PORT} and protocol is not None and protocol not in PORTS:
        return -1
    if name is Field.FRAGMENT:
        return 0
    return None


def _state(known: frozenset[str], asked: tuple[str, ...]) -> bool | None:
    if not known:
        return None
    if known & set(asked):
        return True
    # SNAT and DNAT are bits that may come beside a state.
    return None if {"SNAT", "DNAT"} & set(asked) else False


def _named(link: str, pattern: str) -> bool | None:
    if not link:
        return None
    return link.startswith(pattern[:-1]) if pattern.endswith("+") else link == pattern

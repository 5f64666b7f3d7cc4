"""Whether a conjunction of conditions can be met at all: shown by contradiction, never guessed."""

from planner.netfilter.condition import (
    AddressType,
    AllOf,
    Condition,
    ConnectionMarkIs,
    CtStateIs,
    Field,
    FieldBits,
    FieldIn,
    InBridgePort,
    InInterface,
    InSet,
    Interval,
    MarkIs,
    Not,
    OneOf,
    OutBridgePort,
    OutInterface,
    complement,
    intersect,
    width,
)

STATES = ("NEW", "RELATED", "ESTABLISHED")
ATOMS = frozenset(
    {("INVALID", False, False), ("UNTRACKED", False, False)}
    | {
        (state, source, destination)
        for state in STATES
        for source in (False, True)
        for destination in (False, True)
    }
)
"""Every state a packet can be in: only packets with an entry can have been translated (xt_conntrack.c)."""
BRANCHES = 256
"""Combinations of alternatives that are tried before giving up."""


def contradictory(conditions: tuple[Condition, ...], family: str) -> bool:
    """Whether no packet meets all of them. False when that cannot be shown."""
    return refuted(list(conditions), [], family, [BRANCHES])


def refuted(waiting: list[Condition], literals: list[Condition], family: str, budget: list[int]) -> bool:
    """Flatten, look for a clash, then try the alternatives one by one."""
    literals = list(literals)
    choices: list[tuple[Condition, ...]] = []
    while waiting:
        condition = waiting.pop()
        match condition:
            case AllOf(conditions=parts):
                waiting.extend(parts)
            case OneOf(conditions=parts):
                choices.append(parts)
            case Not(condition=AllOf(conditions=parts)):
                choices.append(tuple(Not(part) for part in parts))
            case Not(condition=OneOf(conditions=parts)):
                waiting.extend(Not(part) for part in parts)
            case Not(condition=Not(condition=inner)):
                waiting.append(inner)
            case _:
                literals.append(condition)
    if clash(literals, family):
        return True
    if not choices:
        return False
    budget[0] -= len(choices[0])
    if budget[0] < 0:
        return False
    rest: list[Condition] = [OneOf(parts) for parts in choices[1:]]
    return all(refuted([part, *rest], literals, family, budget) for part in choices[0])


def clash(literals: list[Condition], family: str) -> bool:
    """Whether two or more plain conditions cannot hold together."""
    inside: dict[Field, tuple[Interval, ...]] = {}
    for literal in literals:
        if isinstance(literal, FieldIn):
            known = inside.get(literal.field)
            inside[literal.field] = (
                literal.intervals if known is None else intersect(known, literal.intervals)
            )
    for literal in literals:
        # The negation also holds where the field is missing: it says something only beside a positive one.
        if (
            isinstance(literal, Not)
            and isinstance(literal.condition, FieldIn)
            and literal.condition.field in inside
        ):
            field = literal.condition.field
            inside[field] = intersect(
                inside[field], complement(literal.condition.intervals, width(field, family))
            )
    if not all(inside.values()):
        return True
    return (
        bits_clash(literals, inside)
        or states_clash(literals)
        or marks_clash(literals)
        or any(
            links_clash(literals, kind) for kind in (InInterface, OutInterface, InBridgePort, OutBridgePort)
        )
        or types_clash(literals, family)
        or negated_twin(literals)
    )


def pairs_clash(wanted: list[tuple[int, int]], refused: list[tuple[int, int]]) -> bool:
    """Masked values (mask, value): two that differ in a common bit, or one that another excludes."""
    known_mask = known_value = 0
    for mask, value in wanted:
        if value & ~mask or (known_value ^ value) & known_mask & mask:
            return True
        known_mask |= mask
        known_value |= value
    return any(
        mask & ~known_mask == 0 and not value & ~mask and known_value & mask == value
        for mask, value in refused
    )


def bits_clash(literals: list[Condition], inside: dict[Field, tuple[Interval, ...]]) -> bool:
    """Bits of one field, and bits against single values."""
    wanted: dict[Field, list[tuple[int, int]]] = {}
    refused: dict[Field, list[tuple[int, int]]] = {}
    for literal in literals:
        match literal:
            case FieldBits(field=field, mask=mask, value=value):
                wanted.setdefault(field, []).append((mask, value))
            case Not(condition=FieldBits(field=field, mask=mask, value=value)):
                refused.setdefault(field, []).append((mask, value))
            case _:
                pass
    for field in {*wanted, *refused}:
        if field in wanted and pairs_clash(wanted[field], refused.get(field, [])):
            return True
        spans = inside.get(field, ())
        if spans and all(low == high for low, high in spans):
            fits = [
                value
                for value, _ in spans
                if all(value & mask == bits for mask, bits in wanted.get(field, []))
                and all(value & mask != bits for mask, bits in refused.get(field, []))
            ]
            if not fits:
                return True
    return False


def marks_clash(literals: list[Condition]) -> bool:
    """Marks, of packet and connection."""
    for kind in (MarkIs, ConnectionMarkIs):
        wanted = [(literal.mask, literal.value) for literal in literals if isinstance(literal, kind)]
        refused = [
            (literal.condition.mask, literal.condition.value)
            for literal in literals
            if isinstance(literal, Not) and isinstance(literal.condition, kind)
        ]
        # A packet always has a mark, so that `! --mark 0/0` alone can never hold; an entry may be missing.
        if pairs_clash(wanted, refused if wanted or kind is MarkIs else []):
            return True
    return False


def states_clash(literals: list[Condition]) -> bool:
    """Conntrack states."""
    possible = ATOMS
    for literal in literals:
        match literal:
            case CtStateIs(states=states):
                possible &= atoms(states)
            case Not(condition=CtStateIs(states=states)):
                possible -= atoms(states)
            case _:
                pass
    return not possible


def atoms(states: tuple[str, ...]) -> frozenset[tuple[str, bool, bool]]:
    """Every full state in which one of the states is seen."""
    return frozenset(
        atom
        for atom in ATOMS
        if atom[0] in states or ("SNAT" in states and atom[1]) or ("DNAT" in states and atom[2])
    )


def covers(pattern: str, other: str) -> bool:
    """Whether every name that fits the other pattern fits this one."""
    if pattern.endswith("+"):
        return other.removesuffix("+").startswith(pattern[:-1])
    return pattern == other


def links_clash(
    literals: list[Condition], kind: type[InInterface | OutInterface | InBridgePort | OutBridgePort]
) -> bool:
    """Names of links."""
    wanted = [literal.pattern for literal in literals if isinstance(literal, kind)]
    refused = [
        literal.condition.pattern
        for literal in literals
        if isinstance(literal, Not) and isinstance(literal.condition, kind)
    ]
    if any(not covers(first, second) and not covers(second, first) for first in wanted for second in wanted):
        return True
    return any(covers(no, yes) for no in refused for yes in wanted)


def types_clash(literals: list[Condition], family: str) -> bool:
    """An IPv4 address has exactly one type (fib_frontend.c, inet_addr_type_dev_table); of IPv6 several bits may hold."""
    if family != "ip":
        return False
    possible: dict[tuple[str, str], frozenset[str]] = {}
    for literal in literals:
        if isinstance(literal, AddressType):
            key = (literal.side, literal.limit)
            known = possible.get(key)
            possible[key] = frozenset(literal.types) if known is None else known.intersection(literal.types)
    for literal in literals:
        if isinstance(literal, Not) and isinstance(literal.condition, AddressType):
            key = (literal.condition.side, literal.condition.limit)
            if key in possible:
                possible[key] -= frozenset(literal.condition.types)
    return not all(possible.values())


def negated_twin(literals: list[Condition]) -> bool:
    """The very same condition and its negation: sets and address types. Draws are drawn anew each time."""
    plain = {literal for literal in literals if isinstance(literal, InSet | AddressType)}
    return any(isinstance(literal, Not) and literal.condition in plain for literal in literals)

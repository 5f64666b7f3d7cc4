"""Whether two rules can be swapped: by proof, never by guess."""

from collections.abc import Iterable
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
from planner.netfilter.contradiction import contradictory
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
    Notrack,
    OpaqueTarget,
    Queue,
    Redirect,
    Reject,
    RestoreMark,
    Return,
    SaveMark,
    SetBits,
    SetConnectionMark,
    SetMark,
    Shift,
    Snat,
    Track,
    UpdateSet,
)  # fmt: skip
from planner.netfilter.lower import Lowered, lower_text

MARK = "mark"
CONNECTION_MARK = "connection mark"
TRACKING = "conntrack"
SETS = "sets"
PAYLOAD = frozenset(
    {Field.TOS, Field.HOP_LIMIT, Field.TCP_FLAGS, Field.TCP_OPTIONS, Field.TCP_MSS, Field.LENGTH}
)
"""What targets of mangle rewrite."""
ADDRESSES = frozenset({Field.SOURCE, Field.DESTINATION})
CHANGEABLE = frozenset({MARK, CONNECTION_MARK, TRACKING, SETS, *PAYLOAD})
TRACKED = frozenset(field for field in Field if field.name.startswith("CT_"))


def disjoint(first: str, second: str, family: str) -> bool:
    """True only if no packet, unchanged between them, can meet both rules."""
    if first == second:
        return False
    return contradictory(
        (*lower_text(first, family).conditions, *lower_text(second, family).conditions), family
    )


def same_fate(first: str, second: str, family: str, *, table: str = "") -> bool:
    """True only if neighbours in a chain, swapped, treat every packet the same. Counters may differ.

    The table is asked for because IPv6 addresses can be rewritten in passing in mangle (SNPT, DNPT) and nowhere else.
    """
    if first == second:
        return True
    before, after = lower_text(first, family), lower_text(second, family)
    changed = writes(before.effect, family, table) | writes(after.effect, family, table)
    if is_stateful(before.conditions) or is_stateful(after.conditions):
        # A stateful match counts each packet it is shown. It is shown none of the other rule's packets only when the
        # part that is looked at before every match already tells them apart (ip_tables.c, ipt_do_table).
        apart = (*before.conditions[: before.basic], *after.conditions[: after.basic])
        return contradictory(tuple(part for part in apart if changed.isdisjoint(reads(part))), family)
    together = (*before.conditions, *after.conditions)
    steady = tuple(condition for condition in together if changed.isdisjoint(reads(condition)))
    if contradictory(steady, family):
        return True
    return commute(before, after, settled=len(steady) == len(together))


def commute(before: Lowered, after: Lowered, *, settled: bool) -> bool:
    """Whether two rules that can meet the same packet do the same in either order.

    `settled`: neither writes what the other's conditions, or its own, look at.
    """
    match before.effect, after.effect:
        case (Continue(), _) | (_, Continue()):
            return True
        case (
            (Accept(), Accept()) | (Drop(), Drop()) | (Return(), Return()) | (Queue(), Queue()) | (Reject(), Reject())
            | (Goto(), Goto()) | (Dnat(), Dnat()) | (Snat(), Snat()) | (Masquerade(), Masquerade())
            | (Redirect(), Redirect()) | (Netmap(), Netmap())
        ):  # fmt: skip
            return before.effect == after.effect
        case Log(), Log():
            return True
        case (
            (Jump(), Jump())
            | (Alter(), Alter())
            | (Notrack(), Notrack())
            | (UpdateSet(), UpdateSet())
            | (Track(), Track())
        ):
            return settled and before.effect == after.effect
        case (
            (SetMark() as one, SetMark() as two)
            | (SetConnectionMark() as one, SetConnectionMark() as two)
            | (SetBits() as one, SetBits() as two)
        ):
            return settled and sets_commute(one, two)
        case Shift(), Shift():
            return settled and (before.effect.by > 0) == (after.effect.by > 0)
        case (SetMark(), SetConnectionMark() | SetBits() | Shift()) | (
            SetConnectionMark() | SetBits() | Shift(),
            SetMark(),
        ):
            return settled
        case _:
            return False


def sets_commute(
    first: SetMark | SetConnectionMark | SetBits, second: SetMark | SetConnectionMark | SetBits
) -> bool:
    """`(x & ~m1) ^ v1` and `(x & ~m2) ^ v2`: the order matters only for the bits of the values under the other's mask."""
    if isinstance(first, SetBits) and isinstance(second, SetBits) and first.field != second.field:
        return True
    if (
        isinstance(first, SetConnectionMark)
        and isinstance(second, SetConnectionMark)
        and (first.shift or second.shift)
    ):
        return first == second
    return (first.value & ~second.mask) ^ second.value == (second.value & ~first.mask) ^ first.value


def is_stateful(conditions: Iterable[Condition]) -> bool:
    """Whether looking at a packet may change what is found for the next one."""
    for condition in conditions:
        match condition:
            case Opaque(stateful=True) | Chance(counted=True):
                return True
            case Not(condition=inner):
                if is_stateful((inner,)):
                    return True
            case OneOf(conditions=parts) | AllOf(conditions=parts):
                if is_stateful(parts):
                    return True
            case InSet(options=options):
                # Counters of elements move with each look, and conditions on them then differ.
                if options:
                    return True
            case _:
                pass
    return False


def reads(condition: Condition) -> frozenset[str]:
    """What a condition looks at, as far as a rule could change it."""
    match condition:
        case FieldIn(field=field) | FieldBits(field=field):
            return frozenset({field, TRACKING}) if field in TRACKED else frozenset({field})
        case MarkIs():
            return frozenset({MARK})
        case ConnectionMarkIs():
            return frozenset({CONNECTION_MARK, TRACKING})
        case CtStateIs():
            return frozenset({TRACKING})
        case InSet():
            return frozenset({SETS, *ADDRESSES})
        case AddressType():
            return ADDRESSES
        case InInterface() | OutInterface() | InBridgePort() | OutBridgePort() | Chance():
            return frozenset()
        case Not(condition=inner):
            return reads(inner)
        case OneOf(conditions=parts) | AllOf(conditions=parts):
            return frozenset().union(*(reads(part) for part in parts))
        case Opaque():
            return CHANGEABLE | ADDRESSES
        case _:
            assert_never(condition)


def writes(effect: Effect, family: str, table: str) -> frozenset[str]:
    """What an effect may change in a packet that goes on to the next rule."""
    match effect:
        case SetMark() | RestoreMark():
            return frozenset({MARK})
        case SetConnectionMark() | SaveMark():
            return frozenset({CONNECTION_MARK})
        case SetBits(field=field) | Shift(field=field):
            return frozenset({field})
        case Notrack() | Track():
            return frozenset({TRACKING, CONNECTION_MARK})
        case UpdateSet():
            return frozenset({SETS, MARK})
        case Alter():
            return frozenset({Field.TCP_MSS, Field.LENGTH})
        case Jump():
            rewritten = ADDRESSES if family == "ip6" and table in {"", "mangle"} else frozenset()
            return CHANGEABLE | rewritten
        case OpaqueTarget():
            return CHANGEABLE | ADDRESSES
        case (
            Accept() | Drop() | Return() | Continue() | Goto() | Queue() | Reject() | Dnat() | Snat() | Masquerade()
            | Redirect() | Netmap() | Log()
        ):  # fmt: skip
            return frozenset()
        case _:
            assert_never(effect)

"""conntrack: the state of a flow and what its entry holds."""

from planner.netfilter.condition import (
    CT_STATES,
    NEVER,
    Condition,
    CtStateIs,
    Field,
    FieldBits,
    Interval,
    Not,
    OneOf,
    field_in,
    masked,
)  # fmt: skip
from planner.netfilter.extension import Context, Kind, Match, Option, Use
from planner.netfilter.kinds import (
    choice,
    interval,
    port,
    prefix,
    protocol,
    read_interval,
    show_interval,
    some_of,
)
from planner.netfilter.problem import RuleError

# include/uapi/linux/netfilter/nf_conntrack_common.h, enum ip_conntrack_status
STATUS = {"NONE": 0, "EXPECTED": 1, "SEEN_REPLY": 2, "ASSURED": 4, "CONFIRMED": 8}


def read_protocol(words: tuple[str, ...], _family: str) -> int:
    """Any but 0."""
    value = protocol(words[0])
    if value == 0:
        raise RuleError("no flow has protocol 0")
    return value


def port_kind() -> Kind[Interval]:
    """A port or a range of ports."""
    return Kind(
        read=lambda words, _family: read_interval(words[0], 0, 0xFFFF, ":", port, backward=True),
        show=lambda value, _family: show_interval(value),
    )


ADDRESSES = {
    "ctorigsrc": Field.CT_ORIGINAL_SOURCE,
    "ctorigdst": Field.CT_ORIGINAL_DESTINATION,
    "ctreplsrc": Field.CT_REPLY_SOURCE,
    "ctrepldst": Field.CT_REPLY_DESTINATION,
}
PORTS = {
    "ctorigsrcport": Field.CT_ORIGINAL_SOURCE_PORT,
    "ctorigdstport": Field.CT_ORIGINAL_DESTINATION_PORT,
    "ctreplsrcport": Field.CT_REPLY_SOURCE_PORT,
    "ctrepldstport": Field.CT_REPLY_DESTINATION_PORT,
}
STATE = Option("ctstate", some_of(CT_STATES), inverts=True)
ENTRYLESS = ("INVALID", "UNTRACKED")


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """A packet without an entry is judged by its state alone, when a state is asked for (xt_conntrack.c, conntrack_mt)."""
    state: Condition | None = None
    others: list[Condition] = []
    for setting in use.settings:
        inverted = setting.inverted
        if setting.name == STATE.name:
            state = CtStateIs(setting.value)
            state = Not(state) if inverted else state
        elif setting.name == "ctstatus":
            wanted = sum(STATUS[name] for name in setting.value)
            # Any of the bits; NONE asks for no bit, which no flow fits, and all but it fit every flow (measured).
            if wanted == 0:
                none: Condition = FieldBits(Field.CT_STATUS, 0, 0) if inverted else NEVER
            elif inverted:
                none = FieldBits(Field.CT_STATUS, wanted, 0)
            else:
                none = OneOf(
                    tuple(
                        FieldBits(Field.CT_STATUS, STATUS[name], STATUS[name])
                        for name in setting.value
                        if STATUS[name]
                    )
                )
            others.append(none)
        elif setting.name == "ctdir":
            others.append(
                field_in(
                    Field.CT_REPLY_DIRECTION, ((int(setting.value == "REPLY"),) * 2,), family=context.family
                )
            )
        elif setting.name in ADDRESSES:
            value, mask = setting.value
            address = masked(ADDRESSES[setting.name], value, mask, family=context.family, inverted=inverted)
            # Only the negation of a mask with holes comes back as `Not`: keep it to packets with an entry.
            others.extend(
                (address, FieldBits(ADDRESSES[setting.name], 0, 0))
                if isinstance(address, Not)
                else (address,)
            )
        elif setting.name in PORTS:
            others.append(
                field_in(PORTS[setting.name], (setting.value,), family=context.family, inverted=inverted)
            )
        elif setting.name == "ctproto":
            others.append(
                field_in(Field.CT_PROTOCOL, ((setting.value,) * 2,), family=context.family, inverted=inverted)
            )
        else:
            others.append(
                field_in(Field.CT_EXPIRES, (setting.value,), family=context.family, inverted=inverted)
            )
    if state is None:
        return tuple(others)
    return (state, *(OneOf((CtStateIs(ENTRYLESS), other)) for other in others))


EXTENSION = Match(
    name="conntrack",
    options=(
        STATE,
        Option("ctproto", Kind(read=read_protocol, show=lambda value, _family: str(value)), inverts=True),
        *(Option(name, prefix(bare_host=True, keep_host=True), inverts=True) for name in ADDRESSES),
        *(Option(name, port_kind(), inverts=True) for name in PORTS),
        Option("ctstatus", some_of(STATUS), inverts=True),
        Option("ctexpire", interval(backward=True), inverts=True),
        Option("ctdir", choice(("ORIGINAL", "REPLY"))),
    ),
    any_of=("ctstate", "ctproto", *ADDRESSES, *PORTS, "ctstatus", "ctexpire", "ctdir"),
    meaning=meaning,
)

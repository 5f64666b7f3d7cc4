"""dccp: ports, packet types and options of DCCP."""

from planner.netfilter.condition import Condition, Field, FieldBits, Not, field_in
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import integer, port_interval, some_of

TYPES = ("REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK")
SPORT = Option("sport", port_interval(backward=True), aliases=("source-port",), inverts=True)
DPORT = Option("dport", port_interval(backward=True), aliases=("destination-port",), inverts=True)
KINDS = Option("dccp-types", some_of((*TYPES, "INVALID")), inverts=True)
OPTION = Option("dccp-option", integer(1, 255), inverts=True)


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """INVALID stands for every type above the last that has a name (xt_dccp.c, match_types)."""
    conditions: list[Condition] = []
    for setting in use.settings:
        if setting.name == OPTION.name:
            has = FieldBits(Field.DCCP_OPTIONS, 1 << setting.value, 1 << setting.value)
            conditions.append(Not(has) if setting.inverted else has)
        elif setting.name == KINDS.name:
            kinds = [
                (len(TYPES), 15) if name == "INVALID" else (TYPES.index(name),) * 2 for name in setting.value
            ]
            conditions.append(
                field_in(Field.DCCP_TYPE, kinds, family=context.family, inverted=setting.inverted)
            )
        else:
            field = Field.SOURCE_PORT if setting.name == SPORT.name else Field.DESTINATION_PORT
            conditions.append(
                field_in(field, (setting.value,), family=context.family, inverted=setting.inverted)
            )
    return tuple(conditions)


EXTENSION = Match(name="dccp", options=(SPORT, DPORT, KINDS, OPTION), protocols=(33,), meaning=meaning)

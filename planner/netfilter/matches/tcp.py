"""tcp: ports, flags and options of TCP."""

from planner.netfilter.condition import Condition, Field, FieldBits, Not, field_in
from planner.netfilter.extension import Context, Kind, Match, Option, Setting, Settings, Use
from planner.netfilter.kinds import flag, integer, is_any_port, port_interval
from planner.netfilter.problem import RuleError

FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32}
ALL = 0x3F
SYN = (0x17, 0x02)
"""FIN, SYN, RST and ACK looked at, SYN set."""


def read_flags(word: str) -> int:
    """Names between commas, ALL or NONE."""
    value = 0
    for name in word.upper().split(","):
        if name not in FLAGS and name not in {"ALL", "NONE"}:
            raise RuleError(f"unknown TCP flag `{name}`")
        value |= ALL if name == "ALL" else FLAGS.get(name, 0)
    return value


def show_flags(value: int) -> str:
    """Every name, or NONE."""
    return ",".join(name for name, bit in FLAGS.items() if value & bit) or "NONE"


FLAGS_KIND = Kind(
    read=lambda words, _family: (read_flags(words[0]), read_flags(words[1])),
    show=lambda value, _family: f"{show_flags(value[0])} {show_flags(value[1])}",
    words=2,
)
SPORT = Option("sport", port_interval(), aliases=("source-port",), inverts=True, silent=is_any_port)
DPORT = Option("dport", port_interval(), aliases=("destination-port",), inverts=True, silent=is_any_port)
OPTION = Option("tcp-option", integer(1, 255), inverts=True)
BITS = Option("tcp-flags", FLAGS_KIND, inverts=True)


def settle(given: Settings, _context: Context) -> Settings:
    """`--syn` is a set of flags."""
    return [Setting(BITS.name, SYN, s.inverted) if s.name == "syn" else s for s in given]


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Later fragments never match, negated or not (xt_tcpudp.c, tcp_mt): the header must be there."""
    present = FieldBits(Field.TCP_FLAGS, 0, 0)
    conditions: list[Condition] = (
        [] if any(s.name in {SPORT.name, DPORT.name} for s in use.settings) else [present]
    )
    for setting in use.settings:
        if setting.name == BITS.name:
            mask, value = setting.value
            flags = FieldBits(Field.TCP_FLAGS, mask, value)
            conditions.append(Not(flags) if setting.inverted else flags)
        elif setting.name == OPTION.name:
            option = FieldBits(Field.TCP_OPTIONS, 1 << setting.value, 1 << setting.value)
            conditions.append(Not(option) if setting.inverted else option)
        else:
            field = Field.SOURCE_PORT if setting.name == SPORT.name else Field.DESTINATION_PORT
            conditions.append(
                field_in(field, (setting.value,), family=context.family, inverted=setting.inverted)
            )
    return tuple(conditions)


EXTENSION = Match(
    name="tcp",
    options=(SPORT, DPORT, OPTION, BITS, Option("syn", flag(), inverts=True)),
    exclusive=(("tcp-flags", "syn"),),
    protocols=(6,),
    settle=settle,
    meaning=meaning,
)

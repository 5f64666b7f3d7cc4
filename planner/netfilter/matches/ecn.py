"""ecn: congestion bits of the IP and TCP headers."""

from planner.netfilter.condition import Condition, Field, FieldBits, Not
from planner.netfilter.extension import Context, Match, Option, Settings, Use
from planner.netfilter.kinds import flag, integer
from planner.netfilter.problem import RuleError

# Octet 13 of the TCP header
BITS = {"ecn-tcp-cwr": 0x80, "ecn-tcp-ece": 0x40}


def settle(given: Settings, context: Context) -> Settings:
    """The bits of TCP need `-p tcp`."""
    if context.protocol != 6 and any(setting.name in BITS for setting in given):
        raise RuleError("the bits of TCP need `-p tcp`")
    return given


def meaning(use: Use, _context: Context) -> tuple[Condition, ...]:
    """Bits."""
    conditions: list[Condition] = []
    for setting in use.settings:
        if setting.name in BITS:
            bit = BITS[setting.name]
            conditions.append(FieldBits(Field.TCP_FLAGS, bit, 0 if setting.inverted else bit))
        else:
            condition = FieldBits(Field.TOS, 3, setting.value)
            conditions.append(Not(condition) if setting.inverted else condition)
    return tuple(conditions)


EXTENSION = Match(
    name="ecn",
    options=(
        Option("ecn-tcp-ece", flag(), inverts=True),
        Option("ecn-tcp-cwr", flag(), inverts=True),
        Option("ecn-ip-ect", integer(0, 3), inverts=True),
    ),
    any_of=("ecn-tcp-ece", "ecn-tcp-cwr", "ecn-ip-ect"),
    settle=settle,
    meaning=meaning,
)

"""dscp: the upper six bits of the traffic class."""

from planner.netfilter.condition import Condition, Field, field_in
from planner.netfilter.extension import Context, Match, Option, Setting, Settings, Use
from planner.netfilter.kinds import integer, named

# RFC 2474, 2597, 3246
CLASSES = (
    {"be": 0, "ef": 46}
    | {f"cs{number}": number * 8 for number in range(8)}
    | {f"af{number}{drop}": number * 8 + drop * 2 for number in range(1, 5) for drop in range(1, 4)}
)
DSCP = Option("dscp", integer(0, 63, "#04x"), inverts=True)
CLASS = Option("dscp-class", named(CLASSES, 64, 63), inverts=True)


def settle(given: Settings, _context: Context) -> Settings:
    """A class is printed as its number."""
    return [Setting(DSCP.name, given[0].value, given[0].inverted)]


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """The octet's lower two bits do not matter."""
    value = DSCP.of(use) or 0
    inside = ((value << 2, value << 2 | 3),)
    return (field_in(Field.TOS, inside, family=context.family, inverted=DSCP.inverted_in(use)),)


EXTENSION = Match(
    name="dscp",
    options=(DSCP, CLASS),
    any_of=("dscp", "dscp-class"),
    exclusive=(("dscp", "dscp-class"),),
    settle=settle,
    meaning=meaning,
)

"""multiport: several ports at once."""

from planner.netfilter.condition import Condition, Field, FieldIn, Interval, OneOf, field_in
from planner.netfilter.extension import Context, Kind, Match, Option, Use
from planner.netfilter.kinds import port, show_interval
from planner.netfilter.problem import RuleError

MOST = 15
"""XT_MULTI_PORTS (include/uapi/linux/netfilter/xt_multiport.h): a range takes two places."""


def read(words: tuple[str, ...], _family: str) -> tuple[Interval, ...]:
    """Ports and ranges between commas."""
    found: list[Interval] = []
    places = 0
    for word in words[0].split(","):
        first, ranged, second = word.partition(":")
        low = port(first)
        high = port(second) if ranged else low
        places += 2 if ranged else 1
        if ranged and low >= high:
            raise RuleError(f"`{word}` is not a range of ports")
        found.append((low, high))
    if places > MOST:
        raise RuleError(f"more than {MOST} ports; a range counts twice")
    return tuple(found)


PORTS = Kind(read=read, show=lambda value, _family: ",".join(map(show_interval, value)))


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """`ports` asks for either side; negated, for neither."""
    setting = use.settings[0]
    sides = {"sports": (Field.SOURCE_PORT,), "dports": (Field.DESTINATION_PORT,)}.get(
        setting.name, (Field.SOURCE_PORT, Field.DESTINATION_PORT)
    )
    parts: tuple[FieldIn, ...] = tuple(
        field_in(side, setting.value, family=context.family, inverted=setting.inverted) for side in sides
    )
    return parts if setting.inverted or len(parts) == 1 else (OneOf(parts),)


EXTENSION = Match(
    name="multiport",
    options=(
        Option("sports", PORTS, aliases=("source-ports",), inverts=True),
        Option("dports", PORTS, aliases=("destination-ports",), inverts=True),
        Option("ports", PORTS, inverts=True),
    ),
    any_of=("sports", "dports", "ports"),
    exclusive=(("sports", "dports", "ports"),),
    protocols=(6, 17, 33, 132, 136),
    meaning=meaning,
)

"""ttl: the time to live of IPv4."""

from planner.netfilter.condition import Condition, Field, field_in
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import integer


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Equal, below or above."""
    setting = use.settings[0]
    value = setting.value
    inside = {"ttl-eq": (value, value), "ttl-lt": (0, value - 1), "ttl-gt": (value + 1, 255)}[setting.name]
    return (field_in(Field.HOP_LIMIT, (inside,), family=context.family, inverted=setting.inverted),)


EXTENSION = Match(
    name="ttl",
    families=("ip",),
    options=(
        Option("ttl-eq", integer(0, 255), aliases=("ttl",), inverts=True),
        Option("ttl-lt", integer(0, 255)),
        Option("ttl-gt", integer(0, 255)),
    ),
    any_of=("ttl-eq", "ttl-lt", "ttl-gt"),
    exclusive=(("ttl-eq", "ttl-lt", "ttl-gt"),),
    meaning=meaning,
)

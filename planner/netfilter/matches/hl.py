"""hl: the hop limit of IPv6."""

from planner.netfilter.condition import Condition, Field, field_in
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import integer


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Equal, below or above."""
    setting = use.settings[0]
    value = setting.value
    inside = {"hl-eq": (value, value), "hl-lt": (0, value - 1), "hl-gt": (value + 1, 255)}[setting.name]
    return (field_in(Field.HOP_LIMIT, (inside,), family=context.family, inverted=setting.inverted),)


EXTENSION = Match(
    name="hl",
    families=("ip6",),
    options=(
        Option("hl-eq", integer(0, 255), aliases=("hl",), inverts=True),
        Option("hl-lt", integer(0, 255)),
        Option("hl-gt", integer(0, 255)),
    ),
    any_of=("hl-eq", "hl-lt", "hl-gt"),
    exclusive=(("hl-eq", "hl-lt", "hl-gt"),),
    meaning=meaning,
)

"""HL: the hop limit of IPv6."""

from planner.netfilter.condition import Field
from planner.netfilter.effect import Effect, SetBits, Shift
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import integer


def effect(use: Use, _context: Context) -> Effect:
    """Set, or moved."""
    setting = use.settings[0]
    if setting.name == "hl-set":
        return SetBits(Field.HOP_LIMIT, setting.value, 0xFF)
    return Shift(Field.HOP_LIMIT, setting.value if setting.name == "hl-inc" else -setting.value)


EXTENSION = Target(
    name="HL",
    families=("ip6",),
    options=(
        Option("hl-set", integer(0, 255)),
        Option("hl-dec", integer(1, 255)),
        Option("hl-inc", integer(1, 255)),
    ),
    any_of=("hl-set", "hl-dec", "hl-inc"),
    exclusive=(("hl-set", "hl-dec", "hl-inc"),),
    effect=effect,
)

"""TTL: the time to live of IPv4."""

from planner.netfilter.condition import Field
from planner.netfilter.effect import Effect, SetBits, Shift
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import integer


def effect(use: Use, _context: Context) -> Effect:
    """Set, or moved."""
    setting = use.settings[0]
    if setting.name == "ttl-set":
        return SetBits(Field.HOP_LIMIT, setting.value, 0xFF)
    return Shift(Field.HOP_LIMIT, setting.value if setting.name == "ttl-inc" else -setting.value)


EXTENSION = Target(
    name="TTL",
    families=("ip",),
    options=(
        Option("ttl-set", integer(0, 255)),
        Option("ttl-dec", integer(1, 255)),
        Option("ttl-inc", integer(1, 255)),
    ),
    any_of=("ttl-set", "ttl-dec", "ttl-inc"),
    exclusive=(("ttl-set", "ttl-dec", "ttl-inc"),),
    effect=effect,
)

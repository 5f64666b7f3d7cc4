"""TOS: the traffic class octet."""

from planner.netfilter.condition import Field
from planner.netfilter.effect import Effect, SetBits
from planner.netfilter.extension import Context, Kind, Option, Setting, Settings, Target, Use
from planner.netfilter.kinds import integer
from planner.netfilter.matches.tos import read, show

MODES = ("set-tos", "and-tos", "or-tos", "xor-tos")
TOS = Option("set-tos", Kind(read=read, show=show))


def settle(given: Settings, _context: Context) -> Settings:
    """Printed as --set-tos."""
    name, value = given[0].name, given[0].value
    if name == "and-tos":
        return [Setting(TOS.name, (0, 0xFF & ~value))]
    if name == "or-tos":
        return [Setting(TOS.name, (value, value))]
    return [Setting(TOS.name, (value, 0))] if name == "xor-tos" else given


def effect(use: Use, _context: Context) -> Effect:
    """`(tos & ~mask) ^ value` (xt_DSCP.c, tos_tg)."""
    value, mask = TOS.of(use) or (0, 0)
    return SetBits(Field.TOS, value, mask)


EXTENSION = Target(
    name="TOS",
    options=(TOS, *(Option(name, integer(0, 255)) for name in MODES[1:])),
    any_of=MODES,
    exclusive=(MODES,),
    settle=settle,
    effect=effect,
)

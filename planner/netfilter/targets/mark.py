"""MARK: the packet's mark."""

from planner.netfilter.effect import Effect, SetMark
from planner.netfilter.extension import Context, Option, Setting, Settings, Target, Use
from planner.netfilter.kinds import Masked, full_mark, integer

FULL = 0xFFFFFFFF
MODES = ("set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark")
XMARK = Option("set-xmark", full_mark())


def xmark(name: str, value: Masked | int) -> Masked:
    """Any way of setting a mark as `(mark & ~mask) ^ value`."""
    if isinstance(value, int):
        return {"and-mark": (0, FULL & ~value), "or-mark": (value, value), "xor-mark": (value, 0)}[name]
    # --set-mark clears the bits of the value too (libxt_MARK.c, mark_tg_parse).
    return (value[0], value[0] | value[1]) if name == "set-mark" else value


def settle(given: Settings, _context: Context) -> Settings:
    """Printed as --set-xmark."""
    return [Setting(XMARK.name, xmark(given[0].name, given[0].value))]


def effect(use: Use, _context: Context) -> Effect:
    """xt_mark.c, mark_tg."""
    value, mask = XMARK.of(use) or (0, 0)
    return SetMark(value, mask)


EXTENSION = Target(
    name="MARK",
    options=(
        XMARK,
        Option("set-mark", full_mark()),
        Option("and-mark", integer()),
        Option("or-mark", integer()),
        Option("xor-mark", integer()),
    ),
    any_of=MODES,
    exclusive=(MODES,),
    settle=settle,
    effect=effect,
)

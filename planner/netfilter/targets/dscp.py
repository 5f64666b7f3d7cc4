"""DSCP: the upper six bits of the traffic class."""

from planner.netfilter.condition import Field
from planner.netfilter.effect import Effect, SetBits
from planner.netfilter.extension import Context, Option, Setting, Settings, Target, Use
from planner.netfilter.kinds import integer, named
from planner.netfilter.matches.dscp import CLASSES

DSCP = Option("set-dscp", integer(0, 63, "#04x"))
CLASS = Option("set-dscp-class", named(CLASSES, 64, 63))


def settle(given: Settings, _context: Context) -> Settings:
    """A class is printed as its number."""
    return [Setting(DSCP.name, given[0].value)]


def effect(use: Use, _context: Context) -> Effect:
    """The lower two bits stay."""
    return SetBits(Field.TOS, (DSCP.of(use) or 0) << 2, 0xFC)


EXTENSION = Target(
    name="DSCP",
    options=(DSCP, CLASS),
    any_of=("set-dscp", "set-dscp-class"),
    exclusive=(("set-dscp", "set-dscp-class"),),
    settle=settle,
    effect=effect,
)

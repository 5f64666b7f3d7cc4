"""NETMAP: one network mapped onto another of the same size."""

from planner.netfilter.effect import Effect, Netmap
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import prefix

TO = Option("to", prefix())


def effect(use: Use, _context: Context) -> Effect:
    """The host part stays."""
    value, mask = TO.of(use) or (0, 0)
    return Netmap(value, mask)


EXTENSION = Target(name="NETMAP", options=(TO,), required=("to",), effect=effect)

"""TRACE: every rule that the packet meets is told."""

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Target, Use


def effect(_use: Use, _context: Context) -> Effect:
    """Only tells."""
    return Log("-j TRACE")


EXTENSION = Target(name="TRACE", effect=effect)

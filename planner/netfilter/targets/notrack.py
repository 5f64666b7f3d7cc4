"""NOTRACK: no conntrack entry; the older name of `CT --notrack`."""

from planner.netfilter.effect import Effect, Notrack
from planner.netfilter.extension import Context, Target, Use


def effect(_use: Use, _context: Context) -> Effect:
    """The packet goes on, untracked."""
    return Notrack()


EXTENSION = Target(name="NOTRACK", effect=effect)

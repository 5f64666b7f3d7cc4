"""mark: the packet's mark."""

from planner.netfilter.condition import Condition, MarkIs, Not
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import masked_mark

MARK = Option("mark", masked_mark(), inverts=True)


def meaning(use: Use, _context: Context) -> tuple[Condition, ...]:
    """`((mark & mask) == value) ^ invert` (xt_mark.c, mark_mt)."""
    value, mask = MARK.of(use) or (0, 0)
    condition = MarkIs(value, mask)
    return (Not(condition) if MARK.inverted_in(use) else condition,)


EXTENSION = Match(name="mark", options=(MARK,), required=("mark",), meaning=meaning)

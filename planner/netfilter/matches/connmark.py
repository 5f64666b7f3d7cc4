"""connmark: the mark of the flow."""

from planner.netfilter.condition import Condition, ConnectionMarkIs, Not
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import masked_mark

MARK = Option("mark", masked_mark(), inverts=True)


def meaning(use: Use, _context: Context) -> tuple[Condition, ...]:
    """A packet without an entry meets neither the match nor its negation (xt_connmark.c, connmark_mt)."""
    value, mask = MARK.of(use) or (0, 0)
    condition = ConnectionMarkIs(value, mask)
    return (Not(condition), ConnectionMarkIs(0, 0)) if MARK.inverted_in(use) else (condition,)


EXTENSION = Match(name="connmark", options=(MARK,), required=("mark",), meaning=meaning)

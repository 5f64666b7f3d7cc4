"""tcpmss: the segment size that a SYN announces."""

from planner.netfilter.condition import Condition, Field, FieldIn, Not
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import interval

MSS = Option("mss", interval(0, 0xFFFF), inverts=True)


def meaning(use: Use, _context: Context) -> tuple[Condition, ...]:
    """Without the option in the header the negation holds (xt_tcpmss.c, tcpmss_mt)."""
    condition = FieldIn(Field.TCP_MSS, (MSS.of(use) or (0, 0),))
    return (Not(condition) if MSS.inverted_in(use) else condition,)


EXTENSION = Match(name="tcpmss", options=(MSS,), required=("mss",), protocols=(6,), meaning=meaning)

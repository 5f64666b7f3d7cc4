"""state: the older name of conntrack's state."""

from planner.netfilter.condition import Condition, CtStateIs, Not
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import some_of

STATE = Option("state", some_of(("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")), inverts=True)


def meaning(use: Use, _context: Context) -> tuple[Condition, ...]:
    """As `conntrack --ctstate`."""
    condition = CtStateIs(STATE.of(use) or ())
    return (Not(condition) if STATE.inverted_in(use) else condition,)


EXTENSION = Match(name="state", options=(STATE,), required=("state",), meaning=meaning)

"""rpfilter: whether a route back to the source exists."""

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import flag


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Needs a route lookup, which the core cannot say."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


EXTENSION = Match(
    name="rpfilter",
    options=(
        Option("loose", flag()),
        Option("validmark", flag()),
        Option("accept-local", flag()),
        Option("invert", flag()),
    ),
    meaning=meaning,
)

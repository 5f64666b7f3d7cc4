"""quota: until so many octets have passed."""

from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import integer

EXTENSION = Match(
    name="quota",
    options=(Option("quota", integer(0, 2**64 - 1), inverts=True),),
    required=("quota",),
    stateful=True,
)

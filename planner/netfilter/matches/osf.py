"""osf: the operating system that a SYN looks like."""

from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import bare, integer

EXTENSION = Match(
    name="osf",
    options=(
        Option("genre", bare(1, 31), inverts=True),
        Option("ttl", integer(0, 2)),
        Option("log", integer(0, 2)),
    ),
    required=("genre",),
    protocols=(6,),
)

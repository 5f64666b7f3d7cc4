"""iprange: addresses between two ends."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import address_interval

EXTENSION = Match(
    name="iprange",
    options=(
        Option("src-range", address_interval(), inverts=True, field=Field.SOURCE),
        Option("dst-range", address_interval(), inverts=True, field=Field.DESTINATION),
    ),
    any_of=("src-range", "dst-range"),
)

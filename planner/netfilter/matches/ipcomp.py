"""ipcomp: the compression parameter index."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import flag, interval, is_any_32

EXTENSION = Match(
    name="ipcomp",
    options=(
        Option("ipcompspi", interval(backward=True), inverts=True, silent=is_any_32, field=Field.SPI),
        Option("compres", flag()),
    ),
    protocols=(108,),
)

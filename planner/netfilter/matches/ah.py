"""ah: the security parameter index of an authentication header."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import flag, integer, interval, is_any_32

EXTENSION = Match(
    name="ah",
    options=(
        Option("ahspi", interval(backward=True), inverts=True, silent=is_any_32, field=Field.SPI),
        Option("ahlen", integer(), inverts=True),
        Option("ahres", flag()),
    ),
    protocols=(51,),
    protocols_in=("ip",),
)

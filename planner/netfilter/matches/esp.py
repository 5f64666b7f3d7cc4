"""esp: the security parameter index of an encrypted payload."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import interval, is_any_32

EXTENSION = Match(
    name="esp",
    options=(Option("espspi", interval(backward=True), inverts=True, silent=is_any_32, field=Field.SPI),),
    protocols=(50,),
)

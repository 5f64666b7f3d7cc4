"""length: octets of the packet, its IP header included."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import interval

EXTENSION = Match(
    name="length",
    options=(Option("length", interval(0, 0xFFFF, backward=True), inverts=True, field=Field.LENGTH),),
    required=("length",),
)

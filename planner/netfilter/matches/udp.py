"""udp: ports of UDP."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import is_any_port, port_interval

EXTENSION = Match(
    name="udp",
    options=(
        Option(
            "sport",
            port_interval(backward=True),
            aliases=("source-port",),
            inverts=True,
            silent=is_any_port,
            field=Field.SOURCE_PORT,
        ),
        Option(
            "dport",
            port_interval(backward=True),
            aliases=("destination-port",),
            inverts=True,
            silent=is_any_port,
            field=Field.DESTINATION_PORT,
        ),
    ),
    protocols=(17,),
)

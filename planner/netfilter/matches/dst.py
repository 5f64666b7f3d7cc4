"""dst: the destination options header of IPv6."""

from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import bare, integer

EXTENSION = Match(
    name="dst",
    families=("ip6",),
    options=(Option("dst-len", integer(), inverts=True), Option("dst-opts", bare())),
)

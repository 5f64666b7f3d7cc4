"""cgroup: the net_cls class or the cgroup path of the sending socket."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import always_quoted, integer

EXTENSION = Match(
    name="cgroup",
    options=(
        Option("path", always_quoted(1, 4095), inverts=True),
        Option("cgroup", integer(), inverts=True, field=Field.CGROUP),
    ),
    any_of=("path", "cgroup"),
    exclusive=(("path", "cgroup"),),
)

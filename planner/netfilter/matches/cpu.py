"""cpu: the processor that handles the packet."""

from planner.netfilter.condition import Field
from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import integer

EXTENSION = Match(
    name="cpu", options=(Option("cpu", integer(), inverts=True, field=Field.CPU),), required=("cpu",)
)

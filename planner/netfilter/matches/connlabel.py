"""connlabel: a label bit of the flow, looked at or set."""

from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import always_quoted, flag

EXTENSION = Match(
    name="connlabel",
    options=(Option("label", always_quoted(1), inverts=True), Option("set", flag())),
    required=("label",),
    stateful=True,
)

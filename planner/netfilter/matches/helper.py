"""helper: the conntrack helper that expected the flow."""

from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import string

EXTENSION = Match(
    name="helper", options=(Option("helper", string(0, 29), inverts=True),), required=("helper",)
)

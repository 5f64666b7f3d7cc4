"""nfacct: a named counter."""

from planner.netfilter.extension import Match, Option
from planner.netfilter.kinds import bare

EXTENSION = Match(
    name="nfacct", options=(Option("nfacct-name", bare(1, 31)),), required=("nfacct-name",), stateful=True
)

"""NFLOG: a copy of the packet for a program."""

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import integer, string


def effect(use: Use, context: Context) -> Effect:
    """Only tells."""
    return Log(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="NFLOG",
    options=(
        # nflog_info keeps 64 characters with the NUL (include/uapi/linux/netfilter/xt_NFLOG.h).
        Option("nflog-prefix", string(1, cut=63)),
        Option("nflog-group", integer(0, 0xFFFF), silent=lambda value: value == 0),
        Option("nflog-range", integer()),
        Option("nflog-size", integer()),
        Option("nflog-threshold", integer(0, 0xFFFF), silent=lambda value: value == 0),
    ),
    exclusive=(("nflog-range", "nflog-size"),),
    effect=effect,
)

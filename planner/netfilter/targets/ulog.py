"""ULOG: a copy of the packet for a program; gone from kernels since 3.17."""

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import integer, string


def effect(use: Use, context: Context) -> Effect:
    """Only tells."""
    return Log(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="ULOG",
    families=("ip",),
    options=(
        Option("ulog-prefix", string(1, cut=31)),
        Option("ulog-nlgroup", integer(1, 32), silent=lambda value: value == 1),
        Option("ulog-cprange", integer(), silent=lambda value: value == 0),
        Option("ulog-qthreshold", integer(1, 50), silent=lambda value: value == 1),
    ),
    effect=effect,
)

"""IDLETIMER: tells user space when an interface has been idle."""

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import bare, flag, integer


def effect(use: Use, context: Context) -> Effect:
    """Only tells."""
    return Log(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="IDLETIMER",
    options=(Option("timeout", integer(1)), Option("label", bare(1, 27)), Option("alarm", flag())),
    required=("timeout", "label"),
    effect=effect,
)

"""AUDIT: a record for the audit daemon."""

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import choice


def effect(use: Use, context: Context) -> Effect:
    """Only tells."""
    return Log(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="AUDIT",
    options=(Option("type", choice(("accept", "drop", "reject"))),),
    required=("type",),
    effect=effect,
)

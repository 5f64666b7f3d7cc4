"""TEE: a copy of the packet goes to another host."""

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import address, link


def effect(use: Use, context: Context) -> Effect:
    """The packet itself goes on."""
    return Log(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="TEE",
    options=(Option("gateway", address()), Option("oif", link())),
    required=("gateway",),
    effect=effect,
)

"""SYNPROXY: the node answers handshakes itself."""

from planner.netfilter.effect import Effect, OpaqueTarget
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import flag, integer


def effect(use: Use, context: Context) -> Effect:
    """A proxy is not modelled."""
    return OpaqueTarget(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="SYNPROXY",
    options=(
        Option("sack-perm", flag()),
        Option("timestamp", flag()),
        Option("wscale", integer(0, 255)),
        Option("mss", integer(0, 0xFFFF)),
        Option("ecn", flag()),
    ),
    protocols=(6,),
    effect=effect,
)

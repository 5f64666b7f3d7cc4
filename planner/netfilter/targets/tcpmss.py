"""TCPMSS: the segment size that a SYN announces."""

from planner.netfilter.effect import Alter, Effect
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import flag, integer


def effect(use: Use, context: Context) -> Effect:
    """Lowers the size, and never raises it (xt_TCPMSS.c, tcpmss_mangle_packet)."""
    return Alter(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="TCPMSS",
    options=(Option("set-mss", integer(0, 0xFFFF)), Option("clamp-mss-to-pmtu", flag())),
    any_of=("set-mss", "clamp-mss-to-pmtu"),
    exclusive=(("set-mss", "clamp-mss-to-pmtu"),),
    protocols=(6,),
    effect=effect,
)

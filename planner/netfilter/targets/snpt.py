"""SNPT: stateless prefix translation of sources."""

from planner.netfilter.effect import Effect, OpaqueTarget
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.targets.dnpt import PREFIX


def effect(use: Use, context: Context) -> Effect:
    """Rewrites without conntrack, which is not modelled."""
    return OpaqueTarget(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="SNPT",
    families=("ip6",),
    options=(Option("src-pfx", PREFIX), Option("dst-pfx", PREFIX)),
    required=("src-pfx", "dst-pfx"),
    effect=effect,
)

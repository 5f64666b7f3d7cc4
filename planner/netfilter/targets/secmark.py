"""SECMARK: the security context of the packet."""

from planner.netfilter.effect import Alter, Effect
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import bare


def effect(use: Use, context: Context) -> Effect:
    """No condition looks at security contexts."""
    return Alter(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="SECMARK", options=(Option("selctx", bare(1, 255)),), required=("selctx",), effect=effect
)

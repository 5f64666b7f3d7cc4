"""CHECKSUM: fills in a checksum that the card would have made."""

from planner.netfilter.effect import Alter, Effect
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import flag


def effect(use: Use, context: Context) -> Effect:
    """No condition looks at checksums."""
    return Alter(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="CHECKSUM", options=(Option("checksum-fill", flag()),), required=("checksum-fill",), effect=effect
)

"""CONNSECMARK: the security mark of the flow saved or given back."""

from planner.netfilter.effect import Alter, Effect
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import flag


def effect(use: Use, context: Context) -> Effect:
    """No condition looks at security marks."""
    return Alter(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="CONNSECMARK",
    options=(Option("save", flag()), Option("restore", flag())),
    any_of=("save", "restore"),
    exclusive=(("save", "restore"),),
    effect=effect,
)

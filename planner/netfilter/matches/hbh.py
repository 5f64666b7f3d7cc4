"""hbh: the hop-by-hop options header of IPv6."""

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import bare, integer


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """The header itself is asked for, even without options."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


EXTENSION = Match(
    name="hbh",
    families=("ip6",),
    options=(Option("hbh-len", integer(), inverts=True), Option("hbh-opts", bare())),
    meaning=meaning,
)

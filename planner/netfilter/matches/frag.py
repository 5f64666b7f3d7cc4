"""frag: the fragment header of IPv6."""

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import flag, integer, interval, is_any_32


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """The header itself is asked for, even without options."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


EXTENSION = Match(
    name="frag",
    families=("ip6",),
    options=(
        Option("fragid", interval(backward=True), inverts=True, silent=is_any_32),
        Option("fraglen", integer(), inverts=True),
        Option("fragres", flag()),
        Option("fragfirst", flag()),
        Option("fragmore", flag()),
        Option("fraglast", flag()),
    ),
    exclusive=(("fragmore", "fraglast"),),
    meaning=meaning,
)

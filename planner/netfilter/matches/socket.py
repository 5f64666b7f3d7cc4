"""socket: whether a local socket belongs to the packet."""

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import flag


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Needs the node's sockets; `restore-skmark` also writes the mark."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=True),)


EXTENSION = Match(
    name="socket",
    options=(Option("transparent", flag()), Option("nowildcard", flag()), Option("restore-skmark", flag())),
    meaning=meaning,
)

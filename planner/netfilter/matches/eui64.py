"""eui64: the interface identifier of a source address made from its MAC address."""

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Match, Use


def meaning(_use: Use, _context: Context) -> tuple[Condition, ...]:
    """Compares two fields, which the core cannot say."""
    return (Opaque("-m eui64", stateful=False),)


EXTENSION = Match(name="eui64", families=("ip6",), meaning=meaning)

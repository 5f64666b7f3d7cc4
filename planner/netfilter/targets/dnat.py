"""DNAT: another destination for the flow."""

from planner.netfilter.effect import Dnat, Effect
from planner.netfilter.extension import Context, Option, Settings, Target, Use
from planner.netfilter.kinds import flag
from planner.netfilter.targets.snat import NAT_RANGE, check_ports, nat_range

TO = Option("to-destination", NAT_RANGE)


def settle(given: Settings, context: Context) -> Settings:
    """Ports need a protocol that has them."""
    for setting in given:
        if setting.name == TO.name:
            check_ports(setting.value, context)
    return given


def effect(use: Use, _context: Context) -> Effect:
    """Where to."""
    return Dnat(nat_range(use, TO))


EXTENSION = Target(
    name="DNAT",
    options=(TO, Option("random", flag()), Option("persistent", flag())),
    required=("to-destination",),
    settle=settle,
    effect=effect,
)

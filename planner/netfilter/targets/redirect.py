"""REDIRECT: the destination becomes the node itself."""

from planner.netfilter.effect import Effect, NatRange, Redirect
from planner.netfilter.extension import Context, Option, Settings, Target, Use
from planner.netfilter.kinds import flag
from planner.netfilter.targets.masquerade import PORTS
from planner.netfilter.targets.snat import need_ports

TO = Option("to-ports", PORTS)


def settle(given: Settings, context: Context) -> Settings:
    """Ports need a protocol that has them."""
    if any(setting.name == TO.name for setting in given):
        need_ports(context)
    return given


def effect(use: Use, _context: Context) -> Effect:
    """Here, perhaps at another port."""
    return Redirect(
        NatRange(ports=TO.of(use), random=any(setting.name == "random" for setting in use.settings))
    )


EXTENSION = Target(name="REDIRECT", options=(TO, Option("random", flag())), settle=settle, effect=effect)

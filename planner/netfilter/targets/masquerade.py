"""MASQUERADE: the source becomes an address of the link that the packet leaves by."""

from planner.netfilter.condition import Interval
from planner.netfilter.effect import Effect, Masquerade, NatRange
from planner.netfilter.extension import Context, Kind, Option, Settings, Target, Use
from planner.netfilter.kinds import flag, port, show_interval
from planner.netfilter.names import service_ports
from planner.netfilter.problem import RuleError
from planner.netfilter.targets.snat import need_ports


def read_ports(words: tuple[str, ...], _family: str) -> Interval:
    """`port` or `low-high`; names only alone."""
    first, found, second = words[0].partition("-")
    if not found or words[0] in service_ports():
        value = port(words[0])
        return value, value
    if not (first.isdecimal() and second.isdecimal()):
        raise RuleError(f"`{words[0]}` is not a port or range of ports")
    low, high = port(first), port(second)
    if low > high:
        raise RuleError(f"`{words[0]}` runs backwards")
    return low, high


PORTS = Kind(read=read_ports, show=lambda value, _family: show_interval(value, "-"))
TO = Option("to-ports", PORTS)


def settle(given: Settings, context: Context) -> Settings:
    """Ports need a protocol that has them."""
    if any(setting.name == TO.name for setting in given):
        need_ports(context)
    return given


def effect(use: Use, _context: Context) -> Effect:
    """The link's address, and perhaps ports."""
    names = {setting.name for setting in use.settings}
    return Masquerade(NatRange(ports=TO.of(use), random=not names.isdisjoint({"random", "random-fully"})))


EXTENSION = Target(
    name="MASQUERADE",
    options=(TO, Option("random", flag()), Option("random-fully", flag())),
    settle=settle,
    effect=effect,
)

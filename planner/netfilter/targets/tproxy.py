"""TPROXY: to a local socket, without rewriting the packet."""

from planner.netfilter.effect import Effect, OpaqueTarget
from planner.netfilter.extension import Context, Kind, Option, Setting, Settings, Target, Use
from planner.netfilter.kinds import address, full_mark, port


def settle(given: Settings, _context: Context) -> Settings:
    """Address and mark are always printed."""
    names = {setting.name for setting in given}
    settled = list(given)
    if "on-ip" not in names:
        settled.append(Setting("on-ip", 0))
    if "tproxy-mark" not in names:
        settled.append(Setting("tproxy-mark", (0, 0)))
    return settled


def effect(use: Use, context: Context) -> Effect:
    """Depends on the node's sockets."""
    return OpaqueTarget(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="TPROXY",
    options=(
        Option(
            "on-port",
            Kind(read=lambda words, _family: port(words[0]), show=lambda value, _family: str(value)),
        ),
        Option("on-ip", address()),
        Option("tproxy-mark", full_mark()),
    ),
    required=("on-port",),
    protocols=(6, 17),
    settle=settle,
    effect=effect,
)

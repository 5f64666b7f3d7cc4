"""NFQUEUE: a program decides."""

from planner.netfilter.condition import Interval
from planner.netfilter.effect import Effect, Queue
from planner.netfilter.extension import Context, Kind, Option, Setting, Settings, Target, Use
from planner.netfilter.kinds import flag, integer, number, read_interval
from planner.netfilter.problem import RuleError


def read(words: tuple[str, ...], _family: str) -> Interval:
    """At least two queues; the last cannot be 65535."""
    if ":" not in words[0]:
        raise RuleError("a balance needs a range of queues")
    low, high = read_interval(words[0], 0, 65534, ":", number)
    if low == high:
        raise RuleError("a balance needs more than one queue")
    return low, high


def settle(given: Settings, _context: Context) -> Settings:
    """Queue 0 unless told otherwise."""
    if any(setting.name in {"queue-num", "queue-balance"} for setting in given):
        return given
    return [*given, Setting("queue-num", 0)]


def effect(use: Use, context: Context) -> Effect:
    """Without a program the packet is lost, unless it may pass."""
    bypass = any(setting.name == "queue-bypass" for setting in use.settings)
    return Queue(bypass, EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="NFQUEUE",
    options=(
        Option("queue-num", integer(0, 0xFFFF)),
        Option("queue-balance", Kind(read=read, show=lambda value, _family: f"{value[0]}:{value[1]}")),
        Option("queue-bypass", flag()),
        Option("queue-cpu-fanout", flag()),
    ),
    exclusive=(("queue-num", "queue-balance"),),
    needs=(("queue-cpu-fanout", "queue-balance"),),
    settle=settle,
    effect=effect,
)

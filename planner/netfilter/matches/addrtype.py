"""addrtype: what the node's FIB says an address is."""

from typing import Literal

from planner.netfilter.condition import AddressType, Condition, Not
from planner.netfilter.extension import Context, Match, Option, Settings, Use
from planner.netfilter.kinds import flag, some_of
from planner.netfilter.problem import RuleError

TYPES = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "THROW",
    "NAT", "XRESOLVE",
)  # fmt: skip
SOURCE = Option("src-type", some_of(TYPES), inverts=True)
DESTINATION = Option("dst-type", some_of(TYPES), inverts=True)
LIMIT_IN = Option("limit-iface-in", flag())
LIMIT_OUT = Option("limit-iface-out", flag())


# xt_addrtype.c, addrtype_mt_checkentry_v1: for IPv6 the kernel refuses these.
NOT_FOR_IPV6 = frozenset({"BROADCAST", "BLACKHOLE", "PROHIBIT", "THROW", "NAT", "XRESOLVE"})


def settle(given: Settings, context: Context) -> Settings:
    """Some types do not exist for IPv6."""
    for setting in given:
        if context.family == "ip6" and setting.name in {SOURCE.name, DESTINATION.name}:
            wrong = NOT_FOR_IPV6.intersection(setting.value)
            if wrong:
                raise RuleError(f"{min(wrong)} is not a type of IPv6 addresses")
    return given


def meaning(use: Use, _context: Context) -> tuple[Condition, ...]:
    """One condition for each side."""
    limit: Literal["", "in", "out"] = "in" if LIMIT_IN.of(use) else "out" if LIMIT_OUT.of(use) else ""
    conditions: list[Condition] = []
    for setting in use.settings:
        if setting.name not in {SOURCE.name, DESTINATION.name}:
            continue
        side: Literal["source", "destination"] = "source" if setting.name == SOURCE.name else "destination"
        condition = AddressType(side, setting.value, limit)
        conditions.append(Not(condition) if setting.inverted else condition)
    return tuple(conditions)


EXTENSION = Match(
    name="addrtype",
    options=(SOURCE, DESTINATION, LIMIT_IN, LIMIT_OUT),
    any_of=("src-type", "dst-type"),
    exclusive=(("limit-iface-in", "limit-iface-out"),),
    settle=settle,
    meaning=meaning,
)

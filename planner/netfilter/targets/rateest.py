"""RATEEST: measures the rate of what passes."""

import re
from fractions import Fraction

from planner.netfilter.effect import Effect, Log
from planner.netfilter.extension import Context, Kind, Option, Target, Use
from planner.netfilter.kinds import bare
from planner.netfilter.problem import RuleError

TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|sec|secs|ms|msec|msecs|us|usec|usecs)?")
MICROSECONDS = {"s": 1_000_000, "m": 1000, "u": 1}


def read(words: tuple[str, ...], _family: str) -> int:
    """A time in microseconds; a plain number is that already."""
    found = TIME.fullmatch(words[0])
    if not found:
        raise RuleError(f"`{words[0]}` is not a time")
    return int(Fraction(found[1]) * MICROSECONDS[(found[2] or "u")[0]])


def show(value: int, _family: str) -> str:
    """In the largest unit that leaves at least one (libxt_RATEEST.c, rateest_print_time)."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:.1f}s"
    return f"{value / 1000:.1f}ms" if value >= 1000 else f"{value}us"


def effect(use: Use, context: Context) -> Effect:
    """Only measures; what the match of the same name finds depends on it."""
    return Log(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="RATEEST",
    options=(
        Option("rateest-name", bare(1, 15)),
        Option("rateest-interval", Kind(read=read, show=show)),
        Option("rateest-ewmalog", Kind(read=read, show=show)),
    ),
    required=("rateest-name", "rateest-interval", "rateest-ewmalog"),
    effect=effect,
)

"""limit: a token bucket for the rule."""

import re

from planner.netfilter.extension import Context, Kind, Match, Option, Setting, Settings
from planner.netfilter.kinds import integer, number
from planner.netfilter.problem import RuleError

LEADING = re.compile(r"[0-9]+")
SCALE = 10_000
"""XT_LIMIT_SCALE (include/uapi/linux/netfilter/xt_limit.h)."""
UNITS = (("day", 86400), ("hour", 3600), ("min", 60), ("sec", 1))
WORDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def read(words: tuple[str, ...], _family: str) -> int:
    """Ten-thousandths of a second for each packet."""
    amount_word, found, unit = words[0].partition("/")
    seconds = (
        next((WORDS[name] for name in WORDS if unit and name.startswith(unit.lower())), 0) if found else 1
    )
    if not seconds:
        raise RuleError(f"`{words[0]}` is not a rate")
    # libxt_limit.c reads the amount with atoi: what follows the digits is ignored.
    digits = LEADING.match(amount_word)
    amount = number(digits[0].lstrip("0") or "0" if digits else amount_word, 1, 0xFFFFFFFF)
    period = SCALE * seconds // amount
    if period == 0:
        raise RuleError(f"rate `{words[0]}` is too fast")
    return period


def show(period: int, _family: str) -> str:
    """In the smallest unit that loses nothing (libxt_limit.c, print_rate)."""
    chosen = UNITS[0]
    for unit in UNITS[1:]:
        whole = unit[1] * SCALE
        if period > whole or whole // period < whole % period:
            break
        chosen = unit
    return f"{chosen[1] * SCALE // period}/{chosen[0]}"


def settle(given: Settings, _context: Context) -> Settings:
    """Three an hour, unless told otherwise."""
    if any(setting.name == "limit" for setting in given):
        return given
    return [*given, Setting("limit", 1200 * SCALE)]


EXTENSION = Match(
    name="limit",
    options=(
        Option("limit", Kind(read=read, show=show)),
        Option("limit-burst", integer(0, 10000), silent=lambda value: value in {0, 5}),
    ),
    settle=settle,
    stateful=True,
)

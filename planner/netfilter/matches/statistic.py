"""statistic: some packets, by chance or by count."""

import math
import re

from planner.netfilter.condition import Chance, Condition
from planner.netfilter.extension import Context, Kind, Match, Option, Settings, Use
from planner.netfilter.kinds import choice, integer
from planner.netfilter.problem import RuleError

WHOLE = 1 << 31
"""The kernel draws 31 bits (xt_statistic.c, statistic_mt)."""
DECIMAL = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")


def read(words: tuple[str, ...], _family: str) -> int:
    """A probability as the number of draws out of 2^31 that hit."""
    if not DECIMAL.fullmatch(words[0]) or not 0 <= float(words[0]) <= 1:
        raise RuleError(f"`{words[0]}` is not a probability")
    return math.floor(float(words[0]) * WHOLE + 0.5)


def settle(given: Settings, _context: Context) -> Settings:
    """Each mode has its own options."""
    values = {setting.name: setting.value for setting in given}
    random = values["mode"] == "random"
    if random != ("probability" in values) or random == ("every" in values):
        raise RuleError("mode random takes --probability, mode nth takes --every and --packet")
    if not random and values["packet"] >= values["every"]:
        raise RuleError("--packet must be below --every")
    return given


PROBABILITY = Option(
    "probability", Kind(read=read, show=lambda value, _family: f"{value / WHOLE:.11f}"), inverts=True
)
EVERY = Option("every", integer(1), inverts=True)


def meaning(use: Use, _context: Context) -> tuple[Condition, ...]:
    """The share of packets."""
    hits = PROBABILITY.of(use)
    if hits is not None:
        return (Chance(WHOLE - hits if PROBABILITY.inverted_in(use) else hits, WHOLE),)
    every = EVERY.of(use) or 1
    return (Chance(every - 1 if EVERY.inverted_in(use) else 1, every, counted=True),)


EXTENSION = Match(
    name="statistic",
    options=(Option("mode", choice(("random", "nth"))), PROBABILITY, EVERY, Option("packet", integer())),
    required=("mode",),
    needs=(("every", "packet"), ("packet", "every")),
    settle=settle,
    meaning=meaning,
)

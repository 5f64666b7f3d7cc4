"""CLASSIFY: the class for traffic control."""

import re

from planner.netfilter.effect import Alter, Effect
from planner.netfilter.extension import Context, Kind, Option, Target, Use
from planner.netfilter.problem import RuleError

CLASS = re.compile(r"([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,4})")


def read(words: tuple[str, ...], _family: str) -> tuple[int, int]:
    """`major:minor`, hexadecimal."""
    found = CLASS.fullmatch(words[0])
    if not found:
        raise RuleError(f"`{words[0]}` is not a class such as 1:10")
    return int(found[1], 16), int(found[2], 16)


def effect(use: Use, context: Context) -> Effect:
    """No condition looks at priorities."""
    return Alter(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="CLASSIFY",
    options=(
        Option("set-class", Kind(read=read, show=lambda value, _family: f"{value[0]:04x}:{value[1]:04x}")),
    ),
    required=("set-class",),
    effect=effect,
)

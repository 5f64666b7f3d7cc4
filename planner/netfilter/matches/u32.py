"""u32: words of the packet, masked, shifted and compared."""

import re

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Kind, Match, Option, Use
from planner.netfilter.kinds import number
from planner.netfilter.problem import RuleError

PART = re.compile(r"\s*(0[xX][0-9a-fA-F]+|[0-9]+|&&|<<|>>|[&@=:,])")
OPERATORS = frozenset({"&", "<<", ">>", "@"})
MOST = 10
"""XT_U32_MAXSIZE (include/uapi/linux/netfilter/xt_u32.h): tests, and locations or values of one."""


def read(words: tuple[str, ...], _family: str) -> str:
    """`start&mask>>shift@offset=value:value,value && …`, every number in hexadecimal."""
    text = words[0]
    parts: list[str] = []
    position = 0
    while text[position:].strip():
        found = PART.match(text, position)
        if not found:
            raise RuleError(f"u32: nothing is understood from character {position} on")
        parts.append(found[1])
        position = found.end()
    tests: list[list[str]] = [[]]
    for part in parts:
        if part == "&&":
            tests.append([])
        else:
            tests[-1].append(part)
    if len(tests) > MOST:
        raise RuleError(f"u32: more than {MOST} tests")
    return "&&".join(show_test(test) for test in tests)


def show_test(parts: list[str]) -> str:
    """One test, checked: numbers and operators by turns, one `=` between place and values."""
    if parts.count("=") != 1 or len(parts) % 2 == 0:
        raise RuleError("u32: a test is `place=values`")
    shown: list[str] = []
    after = False
    for place, part in enumerate(parts):
        if place % 2 == 0:
            shown.append(f"{number(part, 0, 0xFFFFFFFF):#x}")
            continue
        allowed = part in {":", ","} if after else part in OPERATORS or part == "="
        if not allowed:
            raise RuleError(f"u32: `{part}` is not expected there")
        after = after or part == "="
        shown.append(part)
    return "".join(shown)


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Raw words of the packet are not modelled."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


EXTENSION = Match(
    name="u32",
    options=(Option("u32", Kind(read=read, show=lambda value, _family: f'"{value}"'), inverts=True),),
    required=("u32",),
    meaning=meaning,
)

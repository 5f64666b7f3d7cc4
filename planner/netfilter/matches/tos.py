"""tos: the whole traffic class octet."""

from planner.netfilter.condition import Condition, Field, masked
from planner.netfilter.extension import Context, Kind, Match, Option, Use
from planner.netfilter.kinds import Masked, number
from planner.netfilter.problem import RuleError

# RFC 1349; a name leaves the two lowest bits alone
NAMES = {
    "minimize-delay": 0x10, "maximize-throughput": 0x08, "maximize-reliability": 0x04, "minimize-cost": 0x02,
    "normal-service": 0x00,
}  # fmt: skip


def read(words: tuple[str, ...], _family: str) -> Masked:
    """`value[/mask]` or a name."""
    if not words[0][:1].isdigit():
        if words[0].lower() not in NAMES:
            raise RuleError(f"unknown type of service `{words[0]}`")
        return NAMES[words[0].lower()], 0x3F
    value, found, mask = words[0].partition("/")
    return number(value, 0, 255), number(mask, 0, 255) if found else 255


def show(value: Masked, _family: str = "") -> str:
    """Both with two digits."""
    return f"{value[0]:#04x}/{value[1]:#04x}"


TOS = Option("tos", Kind(read=read, show=show), inverts=True)


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """`((tos & mask) == value) ^ invert` (xt_dscp.c, tos_mt)."""
    value, mask = TOS.of(use) or (0, 0)
    return (masked(Field.TOS, value, mask, family=context.family, inverted=TOS.inverted_in(use)),)


EXTENSION = Match(name="tos", options=(TOS,), required=("tos",), meaning=meaning)

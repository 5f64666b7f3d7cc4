"""DNPT: stateless prefix translation of destinations."""

from planner.netfilter.effect import Effect, OpaqueTarget
from planner.netfilter.extension import Context, Kind, Option, Target, Use
from planner.netfilter.kinds import Masked, read_address, show_prefix, whole
from planner.netfilter.problem import RuleError


def read(words: tuple[str, ...], family: str) -> Masked:
    """A prefix of at most 64 bits."""
    base, found, length = words[0].partition("/")
    if not found or not length.isdecimal() or int(length[:4]) > 64:
        raise RuleError(f"`{words[0]}` is not a prefix of at most 64 bits")
    mask = whole(family) ^ (whole(family) >> int(length))
    value = read_address(base, family)
    if value & ~mask:
        raise RuleError(f"`{words[0]}` has bits behind its prefix, which the kernel refuses")
    return value, mask


PREFIX = Kind(read=read, show=show_prefix)


def effect(use: Use, context: Context) -> Effect:
    """Rewrites without conntrack, which is not modelled."""
    return OpaqueTarget(EXTENSION.text(use, context.family))


EXTENSION = Target(
    name="DNPT",
    families=("ip6",),
    options=(Option("src-pfx", PREFIX), Option("dst-pfx", PREFIX)),
    required=("src-pfx", "dst-pfx"),
    effect=effect,
)

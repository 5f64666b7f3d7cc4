"""rt: the routing header of IPv6."""

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Kind, Match, Option, Use
from planner.netfilter.kinds import flag, integer, interval, is_any_32, read_address, show_address
from planner.netfilter.problem import RuleError


def read(words: tuple[str, ...], family: str) -> tuple[int, ...]:
    """Addresses between commas."""
    addresses = tuple(read_address(word, family) for word in words[0].split(","))
    if len(addresses) > 16:
        raise RuleError("more than 16 addresses")
    return addresses


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """The header itself is asked for, even without options."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


EXTENSION = Match(
    name="rt",
    families=("ip6",),
    options=(
        Option("rt-type", integer(), inverts=True),
        Option("rt-segsleft", interval(backward=True), inverts=True, silent=is_any_32),
        Option("rt-len", integer(), inverts=True),
        Option("rt-0-res", flag()),
        Option(
            "rt-0-addrs",
            Kind(read=read, show=lambda value, family: ",".join(show_address(a, family) for a in value)),
        ),
        Option("rt-0-not-strict", flag()),
    ),
    needs=(("rt-0-res", "rt-type"), ("rt-0-addrs", "rt-type"), ("rt-0-not-strict", "rt-0-addrs")),
    meaning=meaning,
)

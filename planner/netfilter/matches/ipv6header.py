"""ipv6header: which extension headers an IPv6 packet has."""

from planner.netfilter.extension import Kind, Match, Option
from planner.netfilter.kinds import flag
from planner.netfilter.problem import RuleError

HEADERS = ("hop-by-hop", "ipv6-opts", "ipv6-route", "ipv6-frag", "ah", "esp", "ipv6-nonxt", "protocol")
OTHERS = {
    "hop": 0, "dst": 1, "route": 2, "frag": 3, "auth": 4, "none": 6, "prot": 7, "0": 0, "60": 1, "43": 2, "44": 3, "51": 4, "50": 5,
    "59": 6, "255": 7,
}  # fmt: skip


def read(words: tuple[str, ...], _family: str) -> tuple[str, ...]:
    """Long or short names, or protocol numbers."""
    wanted = set()
    for word in words[0].split(","):
        name = word.lower()
        if name not in OTHERS and name not in HEADERS:
            raise RuleError(f"unknown header `{word}`")
        wanted.add(HEADERS[OTHERS[name]] if name in OTHERS else name)
    return tuple(header for header in HEADERS if header in wanted)


EXTENSION = Match(
    name="ipv6header",
    families=("ip6",),
    options=(
        Option("header", Kind(read=read, show=lambda value, _family: ",".join(value)), inverts=True),
        Option("soft", flag()),
    ),
    required=("header",),
)

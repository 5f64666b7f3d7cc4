"""connlimit: how many flows a host has open."""

from planner.netfilter.extension import Context, Kind, Match, Option, Setting, Settings
from planner.netfilter.kinds import bits, flag, integer, number, prefix_length, read_address
from planner.netfilter.problem import RuleError


def read(words: tuple[str, ...], family: str) -> int:
    """A prefix length or a mask."""
    if words[0].isdecimal():
        return min(number(words[0], 0, 255), bits(family))
    length = prefix_length(read_address(words[0], family), family)
    if length is None:
        raise RuleError(f"`{words[0]}` is not a prefix length")
    return length


def settle(given: Settings, context: Context) -> Settings:
    """`! above` is `upto`; mask and side have defaults."""
    settled: Settings = []
    names = {setting.name for setting in given}
    opposite = {"connlimit-above": "connlimit-upto", "connlimit-upto": "connlimit-above"}
    for setting in given:
        if setting.inverted and setting.name in opposite:
            settled.append(Setting(opposite[setting.name], setting.value))
        else:
            settled.append(setting)
    if "connlimit-mask" not in names:
        settled.append(Setting("connlimit-mask", bits(context.family)))
    if names.isdisjoint({"connlimit-saddr", "connlimit-daddr"}):
        settled.append(Setting("connlimit-saddr", value=True))
    return settled


EXTENSION = Match(
    name="connlimit",
    options=(
        Option("connlimit-upto", integer(), inverts=True),
        Option("connlimit-above", integer(), inverts=True),
        Option("connlimit-mask", Kind(read=read, show=lambda value, _family: str(value))),
        Option("connlimit-saddr", flag()),
        Option("connlimit-daddr", flag()),
    ),
    any_of=("connlimit-upto", "connlimit-above"),
    exclusive=(("connlimit-upto", "connlimit-above"), ("connlimit-saddr", "connlimit-daddr")),
    settle=settle,
    stateful=True,
)

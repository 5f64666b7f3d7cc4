"""set: membership in an ipset."""

from planner.netfilter.condition import Condition, InSet, Not
from planner.netfilter.extension import Context, Kind, Match, Option, Settings, Use
from planner.netfilter.kinds import flag, integer
from planner.netfilter.problem import RuleError

Lookup = tuple[str, tuple[str, ...]]
"""Name of the set, and a direction for each dimension."""
MOST = 6
"""IPSET_DIM_MAX (include/uapi/linux/netfilter/ipset/ip_set.h)."""


def read_lookup(words: tuple[str, ...], _family: str) -> Lookup:
    """`name src,dst`."""
    name, sides = words[0], tuple(words[1].split(","))
    if not name or name[0] == "-" or len(name.encode(errors="surrogateescape")) > 31:
        raise RuleError(f"`{name}` is not the name of a set")
    if len(sides) > MOST or not {"src", "dst"}.issuperset(sides):
        raise RuleError(f"`{words[1]}` is not a list of src and dst")
    return name, sides


def show_lookup(value: Lookup, _family: str) -> str:
    """As read."""
    return f"{value[0]} {','.join(value[1])}"


LOOKUP = Kind(read=read_lookup, show=show_lookup, words=2)
SET = Option("match-set", LOOKUP, aliases=("set",), inverts=True)
COUNTS = tuple(f"{what}-{how}" for what in ("packets", "bytes") for how in ("eq", "lt", "gt"))


def settle(given: Settings, _context: Context) -> Settings:
    """Flags that are written plainly are what the set does anyway."""
    return [s for s in given if s.inverted or s.name not in {"update-counters", "update-subcounters"}]


def meaning(use: Use, _context: Context) -> tuple[Condition, ...]:
    """Everything but plain membership stays text."""
    name, sides = SET.of(use) or ("", ())
    rest = tuple(setting for setting in use.settings if setting.name != SET.name)
    condition = InSet(name, sides, EXTENSION.emit(Use("set", rest), "ip"))
    return (Not(condition) if SET.inverted_in(use) else condition,)


EXTENSION = Match(
    name="set",
    options=(
        SET,
        Option("return-nomatch", flag()),
        Option("update-counters", flag(), inverts=True),
        Option("update-subcounters", flag(), inverts=True),
        *(Option(name, integer(0, 2**64 - 1), inverts=name.endswith("eq")) for name in COUNTS),
    ),
    required=("match-set",),
    settle=settle,
    meaning=meaning,
)

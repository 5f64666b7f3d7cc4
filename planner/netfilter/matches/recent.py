"""recent: a list of addresses seen lately."""

from planner.netfilter.extension import Context, Match, Option, Setting, Settings
from planner.netfilter.kinds import address, bare, flag, integer, whole

MODES = ("set", "rcheck", "update", "remove")


def settle(given: Settings, context: Context) -> Settings:
    """Name, mask and side are always printed."""
    names = {setting.name for setting in given}
    settled = list(given)
    if "name" not in names:
        settled.append(Setting("name", "DEFAULT"))
    if "mask" not in names:
        settled.append(Setting("mask", whole(context.family)))
    if names.isdisjoint({"rsource", "rdest"}):
        settled.append(Setting("rsource", value=True))
    return settled


EXTENSION = Match(
    name="recent",
    options=(
        *(Option(mode, flag(), inverts=True) for mode in MODES),
        Option("seconds", integer(1)),
        Option("reap", flag()),
        Option("hitcount", integer(1, 0xFFFF)),
        Option("rttl", flag()),
        Option("name", bare(1, 199)),
        Option("mask", address()),
        Option("rsource", flag()),
        Option("rdest", flag()),
    ),
    any_of=MODES,
    exclusive=(
        MODES,
        ("rsource", "rdest"),
        *((mode, name) for mode in ("set", "remove") for name in ("rttl", "seconds", "hitcount")),
    ),
    needs=(("reap", "seconds"),),
    settle=settle,
    stateful=True,
)

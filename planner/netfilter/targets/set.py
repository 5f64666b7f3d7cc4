"""SET: elements of ipsets come, go, or lend values to the packet."""

from planner.netfilter.effect import Effect, UpdateSet
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import flag, integer
from planner.netfilter.matches.set import LOOKUP

CHANGES = ("add-set", "del-set", "map-set")


def effect(use: Use, context: Context) -> Effect:
    """Which sets."""
    sets = tuple(setting.value[0] for setting in use.settings if setting.name in CHANGES)
    return UpdateSet(EXTENSION.text(use, context.family), sets)


EXTENSION = Target(
    name="SET",
    options=(
        Option("add-set", LOOKUP),
        Option("exist", flag()),
        Option("timeout", integer(0, 0xFFFFFFFE)),
        Option("del-set", LOOKUP),
        Option("map-set", LOOKUP),
        Option("map-mark", flag()),
        Option("map-prio", flag()),
        Option("map-queue", flag()),
    ),
    any_of=CHANGES,
    exclusive=(("add-set", "map-set"), ("del-set", "map-set")),
    needs=(
        ("exist", "add-set"), ("timeout", "add-set"), ("map-mark", "map-set"), ("map-prio", "map-set"),
        ("map-queue", "map-set"),
    ),
    effect=effect,
)  # fmt: skip

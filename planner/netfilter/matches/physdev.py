"""physdev: the ports of a bridge that a packet comes by and leaves by."""

from planner.netfilter.condition import Condition, Field, InBridgePort, Not, OutBridgePort, field_in
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import flag, link

FLAGS = {
    "physdev-is-in": Field.CAME_BY_BRIDGE,
    "physdev-is-out": Field.LEAVES_BY_BRIDGE,
    "physdev-is-bridged": Field.IS_BRIDGED,
}


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Names and flags."""
    conditions: list[Condition] = []
    for setting in use.settings:
        if setting.name in FLAGS:
            yes = ((0, 0) if setting.inverted else (1, 1),)
            conditions.append(field_in(FLAGS[setting.name], yes, family=context.family))
            continue
        name = InBridgePort(setting.value) if setting.name == "physdev-in" else OutBridgePort(setting.value)
        conditions.append(Not(name) if setting.inverted else name)
    return tuple(conditions)


EXTENSION = Match(
    name="physdev",
    options=(
        Option("physdev-is-in", flag(), inverts=True),
        Option("physdev-in", link(), inverts=True),
        Option("physdev-is-out", flag(), inverts=True),
        Option("physdev-out", link(), inverts=True),
        Option("physdev-is-bridged", flag(), inverts=True),
    ),
    any_of=("physdev-is-in", "physdev-in", "physdev-is-out", "physdev-out", "physdev-is-bridged"),
    meaning=meaning,
)

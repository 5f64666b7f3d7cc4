"""devgroup: the group number of the links that a packet comes by or leaves by."""

from planner.netfilter.condition import Condition, Field, masked
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import masked_mark

SOURCE = Option("src-group", masked_mark(), inverts=True)
DESTINATION = Option("dst-group", masked_mark(), inverts=True)


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """A group with bits outside its mask is never met."""
    conditions = []
    for setting in use.settings:
        value, mask = setting.value
        field = Field.IN_GROUP if setting.name == SOURCE.name else Field.OUT_GROUP
        conditions.append(masked(field, value, mask, family=context.family, inverted=setting.inverted))
    return tuple(conditions)


EXTENSION = Match(
    name="devgroup", options=(SOURCE, DESTINATION), any_of=("src-group", "dst-group"), meaning=meaning
)

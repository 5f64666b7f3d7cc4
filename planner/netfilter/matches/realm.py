"""realm: the routing realm of the packet's route."""

from planner.netfilter.condition import Condition, Field, masked
from planner.netfilter.extension import Context, Match, Option, Use
from planner.netfilter.kinds import masked_mark

REALM = Option("realm", masked_mark(), inverts=True)


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """`(id == (realm & mask)) ^ invert` (xt_realm.c, realm_mt)."""
    value, mask = REALM.of(use) or (0, 0)
    return (masked(Field.REALM, value, mask, family=context.family, inverted=REALM.inverted_in(use)),)


EXTENSION = Match(name="realm", families=("ip",), options=(REALM,), required=("realm",), meaning=meaning)

"""What of a step's things is its own: the parts that are taken back where others have added to the same thing."""

from collections.abc import Iterator, Sequence

from planner.models.node import NodeState
from planner.models.plan import Part, SetBack
from planner.models.ruleset import IpSet
from planner.plan.by_rule import MOST
from planner.plan.checks_rules import ipset_of, set_name
from planner.plan.facet import Facet


def parts(found: Sequence[Facet]) -> tuple[Part, ...]:
    """Of things that are read by value."""
    return tuple(part for facet in found if (part := facet.part()) is not None)


def sets_back(before: NodeState, after: NodeState) -> Iterator[SetBack]:
    """Every ipset that a step has changed by element; one whose type or options changed is taken back as a whole only."""
    for name in sorted({ipset.name for state in (before, after) for ipset in state.ipsets}):
        old, new = ipset_of(before, name), ipset_of(after, name)
        known = old or new
        if old == new or known is None:
            continue
        creates = {_create(ipset) for ipset in (old, new) if ipset is not None}
        former, latter = (set(ipset.elements) if ipset else set() for ipset in (old, new))
        if len(creates) > 1 or len(former ^ latter) > MOST:
            continue
        yield SetBack(
            thing=set_name(name),
            name=name,
            create=_create(known),
            made=old is None,
            deleted=new is None,
            added=tuple(sorted(latter - former)),
            removed=tuple(sorted(former - latter)),
        )


def _create(ipset: IpSet) -> str:
    return f"{ipset.type} {ipset.options}".rstrip()

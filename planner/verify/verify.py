"""A found state against the predicted one: what is in place, what is missing, what is somebody else's."""

from planner.changes import names_of
from planner.diff.nodes import comparison_gaps, diff_nodes
from planner.models.change import Change, RuleChange
from planner.models.node import NodeState
from planner.models.verification import Standing, Verification


def verify(before: NodeState, predicted: NodeState, found: NodeState) -> Verification:
    """Three states of one node: recorded before the change, predicted after it, and found."""
    found = found.model_copy(update={"name": before.name})
    planned = {_thing(change): change for change in diff_nodes(before, predicted)}
    undone = {_thing(change) for change in diff_nodes(before, found)}
    missing: dict[str, Change] = {}
    different: list[Change] = []
    foreign: list[Change] = []
    for change in diff_nodes(predicted, found):
        thing = _thing(change)
        if thing not in planned:
            foreign.append(change)
        elif thing not in undone:
            missing[thing] = planned[thing]
        else:
            different.append(change)
    verification = Verification(
        node=before.name,
        standing=Standing.APPLIED,
        planned=len(planned),
        missing=tuple(missing.values()),
        different=tuple(different),
        foreign=tuple(foreign),
        gaps=comparison_gaps(predicted, found),
    )
    return verification.model_copy(update={"standing": _standing(verification)})


def _standing(verification: Verification) -> Standing:
    if verification.as_predicted:
        return Standing.APPLIED
    gone = len(verification.missing)
    if gone and gone == verification.planned and not verification.different:
        return Standing.NOT_APPLIED
    if gone or verification.different:
        return Standing.PARTLY
    return Standing.OTHERWISE


def _thing(change: Change) -> str:
    """What a change is about, the same for every change of that thing."""
    name = names_of(change)[0] if names_of(change) else change.model_dump_json()
    if isinstance(change, RuleChange):
        return name
    return f"{change.kind} {name}"

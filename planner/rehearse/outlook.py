"""What a plan's steps are predicted to do to a node, one by one."""

from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.plan import Plan
from planner.models.proposal import Operation, Outlook, Stage
from planner.proposal.native import native_stage
from planner.proposal.run import run


def outlook_of(plan: Plan, node: NodeState, wanted: NodeState | None = None) -> Outlook:
    """The states between the steps of `plan`. It may have been made long ago: nothing is read but its operations.

    `wanted` is the state that a plan leads to which was made from two states: it tells what nft would print of words that
    nobody here reads.
    """
    stages: list[Stage] = []
    state = node
    for step in plan.steps:
        stage = _known(step.operation, state, wanted) or run(step.operation, state)
        stages.append(stage)
        state = stage.after
    return Outlook(
        node=node.name, before={Horizon.NOW: node}, after={Horizon.NOW: state}, stages=tuple(stages)
    )


def _known(operation: Operation, state: NodeState, wanted: NodeState | None) -> Stage | None:
    """The stage whose end is the wanted state's nft tables, if the operation is the one that leads there."""
    if wanted is None:
        return None
    stages = native_stage(state, wanted, operation.source)
    return next((one for one in stages if isinstance(one, Stage) and one.operation == operation), None)

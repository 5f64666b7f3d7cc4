"""What a plan's steps are predicted to do to a node, one by one."""

from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.plan import Plan
from planner.models.proposal import Outlook, Stage
from planner.proposal.run import run


def outlook_of(plan: Plan, node: NodeState) -> Outlook:
    """The states between the steps of `plan`. It may have been made long ago: nothing is read but its operations."""
    stages: list[Stage] = []
    state = node
    for step in plan.steps:
        stage = run(step.operation, state)
        stages.append(stage)
        state = stage.after
    return Outlook(
        node=node.name, before={Horizon.NOW: node}, after={Horizon.NOW: state}, stages=tuple(stages)
    )

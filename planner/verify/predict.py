"""The state that each node is in once a plan has been applied."""

from collections.abc import Sequence

from planner.models.node import NodeState
from planner.models.proposal import Fragment, Outlook
from planner.models.snapshot import Snapshot
from planner.proposal.propose import propose
from planner.proposal.transition import propose_state


def predict(snapshot: Snapshot, proposed: "Snapshot | Sequence[Fragment]") -> Snapshot:
    """The snapshot as a collector would find it right after the last step: values as applied, files as written."""
    if isinstance(proposed, Snapshot):
        return _towards(snapshot, proposed)
    nodes = tuple(applied(propose(node, proposed)) for node in snapshot.nodes)
    return snapshot.model_copy(update={"nodes": nodes})


def _towards(snapshot: Snapshot, wanted: Snapshot) -> Snapshot:
    """Nodes are paired by name, a single one with a single one; those that are not paired stay as they are."""
    targets = {node.name: node for node in wanted.nodes}
    if len(snapshot.nodes) == len(wanted.nodes) == 1:
        targets = {snapshot.nodes[0].name: wanted.nodes[0]}
    nodes = tuple(
        applied(propose_state(node, targets[node.name], name="")) if node.name in targets else node
        for node in snapshot.nodes
    )
    return snapshot.model_copy(update={"nodes": nodes})


def applied(outlook: Outlook) -> NodeState:
    """The node after the last step."""
    return outlook.stages[-1].after if outlook.stages else next(iter(outlook.before.values()))

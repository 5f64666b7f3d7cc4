"""Two snapshots: their nodes paired by name, and what differs in each pair."""

from dataclasses import dataclass

from planner.diff.nodes import comparison_gaps, diff_nodes
from planner.models.change import Change
from planner.models.node import NodeState
from planner.models.snapshot import Snapshot
from planner.models.source import Gap


@dataclass(frozen=True, slots=True)
class SnapshotDiff:
    """What differs between two snapshots."""

    changes: tuple[Change, ...]
    """By node, then as `diff_nodes` orders them."""
    only_before: tuple[str, ...]
    """Nodes that the second snapshot does not have."""
    only_after: tuple[str, ...]
    gaps: tuple[Gap, ...]
    """Why the changes may not be all; with the node's name where there are several."""


def diff_snapshots(before: Snapshot, after: Snapshot) -> SnapshotDiff:
    """Nodes of the same name are compared; a single node with a single node, whatever they are called."""
    old = {node.name: node for node in before.nodes}
    new = {node.name: node for node in after.nodes}
    pairs: list[tuple[NodeState, NodeState]] = [
        (old[name], new[name]) for name in sorted(old.keys() & new.keys())
    ]
    only_before, only_after = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    if not pairs and len(before.nodes) == len(after.nodes) == 1:
        pairs, only_before, only_after = [(before.nodes[0], after.nodes[0])], [], []
    changes: list[Change] = []
    gaps: list[Gap] = []
    for former, latter in pairs:
        changes.extend(diff_nodes(former, latter))
        for gap in comparison_gaps(former, latter):
            named = {"reason": f"{latter.name}: {gap.reason}"} if len(pairs) > 1 else {}
            gaps.append(gap.model_copy(update=named))
    return SnapshotDiff(tuple(changes), tuple(only_before), tuple(only_after), tuple(gaps))

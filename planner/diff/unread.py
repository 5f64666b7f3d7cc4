"""Telling what is absent from what could not be read."""

from collections.abc import Iterator

from planner.models.node import NodeState
from planner.models.source import Gap


def unread(state: NodeState, other: NodeState, section: str) -> bool:
    """Whether the absence of `section` from `state` means nothing: it has a gap there that `other` does not have.

    A gap that both have came along when `other` was made from `state` by a proposal; what stands in only one of the
    two was put there or taken away by the proposal, whatever else could not be read.
    """
    return any(gap not in other.gaps for gap in covering(state, section))


def covering(state: NodeState, section: str) -> Iterator[Gap]:
    """Gaps of the section or of what it is a part of."""
    for gap in state.gaps:
        if gap.section == section or section.startswith(gap.section + "/"):
            yield gap

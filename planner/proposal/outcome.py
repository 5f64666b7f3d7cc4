"""What one operation makes of a node: the result every interpreter of commands returns."""

from dataclasses import dataclass

from planner.models.node import NodeState
from planner.models.proposal import Effect
from planner.models.source import Gap


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state afterwards, and what is to be said about it."""

    state: NodeState
    effects: tuple[Effect, ...] = ()
    """Values that changed, each with its cause; those that the kernel changed by itself too."""
    gaps: tuple[Gap, ...] = ()
    """What could not be modelled: the state may differ from the real one there."""
    error: str = ""
    """Why the real command would fail here; the state then is what it would leave behind."""

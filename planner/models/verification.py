"""Whether a node is in the state that was predicted for it."""

from enum import StrEnum

from planner.models.change import Change
from planner.models.invariant import Kept
from planner.models.noun import Noun
from planner.models.source import Gap


class Standing(StrEnum):
    """Where a node stands between before and after."""

    APPLIED = "as predicted"
    NOT_APPLIED = "as before the change"
    PARTLY = "in between"
    """Some of the planned changes are in place, others are not."""
    OTHERWISE = "otherwise"
    """All planned changes are in place, and something else differs, too."""
    UNREAD = "not known"
    """What could be read is as predicted, and of some planned changes nothing could be read."""


class Verification(Noun):
    """One node's found state against the one that was predicted."""

    node: str
    standing: Standing
    planned: int
    """Changes that the plan makes to the node."""
    missing: tuple[Change, ...] = ()
    """Planned changes that are not in place: the thing is as it was before."""
    different: tuple[Change, ...] = ()
    """Planned changes whose thing is neither as before nor as predicted; from the predicted state to the found one."""
    unread: tuple[Change, ...] = ()
    """Planned changes of which nothing can be said, because their things could not be read in the found state."""
    foreign: tuple[Change, ...] = ()
    """What the plan does not touch and is not as it was; from the predicted state to the found one."""
    pods: tuple[Change, ...] = ()
    """Links of pods that came or went since the snapshot of the plan, and what lies on them: no difference."""
    paths: tuple[Kept, ...] = ()
    """Invariants in the predicted state (`before`) and in the found one (`after`), where either does not hold."""
    holding: int = 0
    """Paths that hold in the found state."""
    gaps: tuple[Gap, ...] = ()
    """Why the differences may not be all."""

    @property
    def as_predicted(self) -> bool:
        """Nothing differs, and every planned change could be looked at."""
        return not self.differs and not self.unread

    @property
    def differs(self) -> bool:
        """Something is not as predicted."""
        return bool(self.missing or self.different or self.foreign)

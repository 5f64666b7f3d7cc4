"""What a judge says about a change."""

from enum import IntEnum, StrEnum

from planner.models.change import Change
from planner.models.horizon import Horizon
from planner.models.noun import Noun
from planner.models.source import Source
from planner.models.traffic import TrafficClass


class Extent(StrEnum):
    """How much of a traffic class is hit."""

    TOTAL = "total"
    """Practically all of it on the node."""
    PARTIAL = "partial"
    """Some flows, ports or pods."""
    INTERMITTENT = "intermittent"
    """All of it now and then, or under load."""
    NONE = "none"


class Confidence(StrEnum):
    """How sure we are that we read it right."""

    PROVEN = "proven"
    """Follows from the state and documented or measured kernel behaviour."""
    LIKELY = "likely"
    """Needs something the snapshot does not show, and it usually holds."""
    UNKNOWN = "unknown"
    """Cannot be decided from what is known; `unknown_because` says why."""


class Reversibility(StrEnum):
    """What taking it back restores."""

    FULL = "full"
    WITH_LOSS = "with loss"
    """State returns, live connections, leases or caches do not."""
    NONE = "none"
    """The written undo does not reach everything (existing pods, addresses that were deleted)."""


class Level(IntEnum):
    """How loudly to say it."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def words(self) -> str:
        """For people."""
        return self.name.lower()


class Finding(Noun):
    """One risk applied to one change. It states facts; `scoring` turns them into a level."""

    risk: str
    """Id of the risk in the catalogue."""
    change: Change
    related: tuple[Change, ...] = ()
    message: str
    """Whole sentences a tired reviewer understands: the node, the number, the flow."""
    breaks: tuple[TrafficClass, ...] = ()
    """Classes that are lost or disturbed."""
    extent: Extent = Extent.NONE
    exposes: bool = False
    """Something outside the cluster or node is newly let in."""
    capacity: bool = False
    """Bites only under load, growth or on a node event."""
    cuts_undo: bool = False
    """The operator or the undo may not reach the node afterwards."""
    side_effects: tuple[str, ...] = ()
    """security-exposure, source-ip-lost, path-changed, path-closed, networkpolicy, pod-lifecycle, performance, observability."""
    onset: Horizon = Horizon.NOW
    confidence: Confidence = Confidence.PROVEN
    unknown_because: str = ""
    reversibility: Reversibility = Reversibility.FULL
    undo: str = ""
    """What the undo leaves behind or needs, a sentence; empty when the inverse write is enough."""
    remedy: str = ""
    """What to do instead, a sentence."""
    pods: int | None = None
    """Pods reached; None when not known."""
    source: Source | None = None
    """Primary location in the proposal; the change's own when None."""
    preexisting: bool = False
    """True before the change as well: told apart, never scored."""

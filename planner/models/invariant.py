"""What must stay true of a node's network, and whether it does."""

from enum import StrEnum

from planner.models.flow import Flow, Trace
from planner.models.horizon import Horizon
from planner.models.noun import Noun
from planner.models.traffic import TrafficClass


class Holding(StrEnum):
    """Verdict of something that must stay true."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Path(Noun):
    """One packet that must arrive, and whose answer must come back: an invariant made concrete on one node."""

    invariant: str
    """Id of the invariant that it is an example of: `pods-reach-services`."""
    name: str
    """Unique on the node and stable: `pods-reach-services/default/web/80/tcp`."""
    words: str
    """Who reaches whom, completes `… no longer works`: `10.244.1.5 to the Service default/web (10.96.12.7:80)`."""
    traffic: TrafficClass
    flow: Flow
    """The opening packet, where it enters."""
    answered: bool = True
    """Whether the answer has to come back through this node; not for what is only received, as an overlay's packets."""
    ends_at: tuple[str, ...] = ()
    """Links that it may leave by; empty: any. `accepted locally` counts where it says `local`."""
    cuts_undo: bool = False
    """The operator or the undo may not reach the node without it."""
    everybody: bool = True
    """It stands for its whole traffic class on the node; else only for one Service, port or peer."""


class Walked(Noun):
    """A path in one state."""

    holding: Holding
    reason: str = ""
    """Why it is broken or unknown: the rule, the sysctl, the route, what is not known."""
    answering: bool = False
    """The opening packet arrives and it is the answer that is lost."""
    partly: bool = False
    """Some of the random choices lead to it, others not."""
    traces: tuple[Trace, ...] = ()
    """One that shows the verdict: the opening packet and, where it was followed, the answer."""


class Kept(Noun):
    """A path before and after, at one horizon or after one step of the plan."""

    node: str
    path: Path
    horizon: Horizon
    step: int | None = None
    """Number of the plan's step after which it is looked at; None: at the end."""
    before: Walked
    after: Walked

    @property
    def newly_broken(self) -> bool:
        """It held, or may have, and does not."""
        return self.before.holding is not Holding.BROKEN and self.after.holding is Holding.BROKEN

    @property
    def mended(self) -> bool:
        """It was broken and holds."""
        return self.before.holding is Holding.BROKEN and self.after.holding is Holding.HOLDS

    @property
    def already_broken(self) -> bool:
        """Not by this change."""
        return self.before.holding is Holding.BROKEN and self.after.holding is Holding.BROKEN

    @property
    def doubtful(self) -> bool:
        """It held for certain, and whether it still does is not known."""
        return self.before.holding is Holding.HOLDS and self.after.holding is Holding.UNKNOWN

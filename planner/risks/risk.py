"""A risk of the catalogue: one object from which the run, the docs, `explain` and every format's rule are derived."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from planner.invariants.check import kept
from planner.models.change import BaseChange, Change, RuleChange
from planner.models.cluster import Cluster
from planner.models.finding import Finding
from planner.models.horizon import Horizon
from planner.models.invariant import Kept
from planner.models.node import NodeState
from planner.models.proposal import Outlook
from planner.models.topology import Topology
from planner.risks.moved import Moved

C = TypeVar("C", bound=BaseChange)


@dataclass(frozen=True, slots=True)
class Review:
    """What a judge may look at besides the change: one node, at the horizon of the change."""

    before: NodeState
    after: NodeState
    topology: Topology
    """Of the node before the change."""
    topology_after: Topology
    outlook: Outlook
    """Every horizon, for judges that compare them."""
    changes: tuple[Change, ...]
    """All changes of this node, so that a judge sees company: a guard that comes with the danger."""
    cluster: Cluster | None = None
    growth: float = 5.0
    """Capacity must hold for the usage in the snapshot times this."""
    moved: Moved | None = None
    """The packets that are treated differently at the horizon of the change, computed when they are asked for."""
    said: tuple[Finding, ...] = ()
    """For risks that come last: what the others found on this node."""

    def at(self, horizon: Horizon) -> tuple[NodeState, NodeState]:
        """Before and after at another horizon."""
        return self.outlook.before[horizon], self.outlook.after[horizon]

    def kept(self, horizon: Horizon) -> tuple[Kept, ...]:
        """The node's paths before and after, at a horizon that has states of its own; what is broken earlier is left out."""
        # Walked once for each node, however many judges ask.
        every = kept(self.outlook, self.topology, self.cluster)
        earlier = {
            one.path.name for one in every if one.horizon < horizon and one.newly_broken and one.step is None
        }
        return tuple(
            one
            for one in every
            if one.horizon is horizon and one.step is None and one.path.name not in earlier
        )

    def never_acts(self, change: RuleChange) -> bool:
        """Whether the rule that came with the change is met by no packet."""
        place = (change.family, change.backend, change.table, change.chain, change.rule)
        return self.moved is not None and any(
            place == (one.family, one.backend, one.table, one.chain, one.rule) and one.before is None
            for one in self.moved.comparison.dead
        )

    def shut_between(self) -> tuple[Kept, ...]:
        """Paths that hold before and at the end, and not after some step."""
        return tuple(one for one in kept(self.outlook, self.topology, self.cluster) if one.step is not None)


# Without slots: `Risk[Kind](…)` makes typing set an attribute, which a frozen class with slots refuses with a TypeError
# (python/cpython, Lib/typing.py, _BaseGenericAlias.__call__ only expects an AttributeError).
@dataclass(frozen=True)
class Risk(Generic[C]):
    """One thing that is known to go wrong. Declared once, as `RISK`, in a module of its own."""

    id: str
    """Kebab-case, stable for ever."""
    title: str
    on: tuple[type[C], ...]
    """Kinds of change that the judge wants to see."""
    judge: Callable[[C, Review], Iterator[Finding]]
    keys: tuple[str, ...] = ()
    """For sysctls: patterns of keys (`net.ipv4.conf.*.rp_filter`); empty means every key."""
    since: str = "0.1.0"
    sources: tuple[str, ...] = ()
    """Where the fact stands: document, file and function, issue."""
    verify: str = ""
    """A command that shows the node's present state of it."""
    once: bool = False
    """Findings of one node with equal messages are folded into one, the other changes as `related`."""
    last: int = 0
    """1 or 2: asked when all those of a lower number have spoken, with what they said in `Review.said`."""


AnyRisk = Risk[Any]


def fold(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings with equal risk, node and message become one that names all their changes; first come, first kept."""
    kept: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        key = (finding.risk, finding.change.node, finding.message)
        first = kept.get(key)
        if first is None:
            kept[key] = finding
        else:
            kept[key] = first.model_copy(
                update={"related": (*first.related, finding.change, *finding.related)}
            )
    return tuple(kept.values())

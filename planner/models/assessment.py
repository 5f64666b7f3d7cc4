"""Everything found about one proposal."""

from planner.models.change import Change
from planner.models.comparison import NodeComparison
from planner.models.finding import Finding, Level
from planner.models.invariant import Kept
from planner.models.noun import Noun
from planner.models.plan import Plan
from planner.models.proposal import Effect, Fragment
from planner.models.rehearsal import Rehearsal
from planner.models.score import Score
from planner.models.source import Gap
from planner.models.topology import Topology

ASSESSMENT_VERSION = "1"


class ScoredFinding(Noun):
    """A finding with its score."""

    finding: Finding
    score: Score


class ScoredChange(Noun):
    """A change with the highest score of what was found about it."""

    change: Change
    score: Score
    findings: tuple[int, ...] = ()
    """Positions in `Assessment.findings`."""


class Cohort(Noun):
    """Nodes whose before and after are the same up to their own identity."""

    representative: str
    nodes: tuple[str, ...]


class CatalogueEntry(Noun):
    """A risk as the reports need it: they never import the catalogue."""

    id: str
    title: str
    summary: str = ""
    verify: str = ""
    sources: tuple[str, ...] = ()


class Assessment(Noun):
    """What `netchange plan` computes; the reports are views of it."""

    schema_version: str = ASSESSMENT_VERSION
    netchange: str
    """Version of the program."""
    taken_at: str
    """The snapshot's clock."""
    title: str = ""
    level: Level
    fragments: tuple[Fragment, ...] = ()
    nodes: tuple[str, ...]
    cohorts: tuple[Cohort, ...] = ()
    topologies: tuple[Topology, ...] = ()
    changes: tuple[ScoredChange, ...] = ()
    """Sorted: loudest first, then node, kind, name."""
    findings: tuple[ScoredFinding, ...] = ()
    """Sorted: loudest first. Only what the change makes worse."""
    preexisting: tuple[Finding, ...] = ()
    drift: tuple[Change, ...] = ()
    """Running state against persisted state, before the change: never mixed with the proposal."""
    effects: tuple[Effect, ...] = ()
    gaps: tuple[Gap, ...] = ()
    checked: tuple[str, ...] = ()
    """Sentences: what was looked at and found without effect."""
    catalogue: dict[str, CatalogueEntry] = {}
    """The risks named in `findings`."""
    plans: tuple[Plan, ...] = ()
    packets: tuple[NodeComparison, ...] = ()
    """Which packets are treated differently, for the representative of each cohort; at once, and at each later horizon that has
    changes of its own."""
    invariants: tuple[Kept, ...] = ()
    """Paths that must stay open, before and after, for the representative of each cohort; with `step`, those that are shut only
    between two steps."""
    rehearsals: tuple[Rehearsal, ...] = ()
    """For the representative of each cohort, once `netchange rehearse` has run."""

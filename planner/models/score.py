"""How risky a change is, in parts that can each be checked."""

from planner.models.finding import Confidence, Level, Reversibility
from planner.models.horizon import Horizon
from planner.models.noun import Noun
from planner.models.traffic import TrafficClass


class BlastRadius(Noun):
    """Who is reached if it goes wrong. Counted, and listed where there is something to list."""

    traffic: tuple[TrafficClass, ...] = ()
    nodes: tuple[str, ...] = ()
    nodes_total: int = 1
    pods: int | None = 0
    """None: not known."""
    workloads: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    live_flows: int | None = None
    """Conntrack entries of the snapshot that a total loss would break; None when not known."""
    sentence: str = ""


class Score(Noun):
    """Level and number of one change, with a sentence for each part."""

    level: Level
    number: float
    """0.0-10.0 inside the level's band; sorts only."""
    blast: BlastRadius = BlastRadius()
    confidence: Confidence
    onset: Horizon
    reversibility: Reversibility
    why: dict[str, str] = {}
    """A sentence for each of: level, blast, confidence, onset, reversibility."""

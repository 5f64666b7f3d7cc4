"""Recorded state of nodes and cluster at one time."""

from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.noun import Noun

SCHEMA_VERSION = "1"


class Snapshot(Noun):
    """What `netchange snapshot` writes."""

    schema_version: str = SCHEMA_VERSION
    taken_at: str
    """RFC 3339 in UTC: the clock of everything that follows."""
    collector: str = ""
    """What made it: `host`, `bundle`, `sosreport`, and the program's version."""
    nodes: tuple[NodeState, ...]
    cluster: Cluster | None = None
    redacted: tuple[str, ...] = ()
    """What was masked: `secrets`, `addresses`."""

"""The table of levels: checkable statements, loudest first; the first that is true of a finding decides.

This is the only place with a judgement in it. A judge states facts (what is lost, how much of it, when, how sure);
no weights are added up, and nothing lowers a level once a statement holds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from planner.models.finding import Confidence, Extent, Finding, Level, Reversibility
from planner.models.score import BlastRadius
from planner.models.traffic import CONTROL_PATHS, TrafficClass
from planner.scoring.blast import POD_CLASSES

BANDS: dict[Level, tuple[float, float]] = {
    Level.NONE: (0.0, 0.0),
    Level.LOW: (0.1, 3.9),
    Level.MEDIUM: (4.0, 6.9),
    Level.HIGH: (7.0, 8.9),
    Level.CRITICAL: (9.0, 10.0),
}
"""Numbers of each level, as SARIF and CVSS readers expect."""

PRACTICALLY_ALL = 0.9
"""Share of a node's pods from which we say that all of them are hit."""

SERVICE_PATHS = POD_CLASSES | {TrafficClass.EXTERNAL_TO_NODEPORT_LB, TrafficClass.HOST_EGRESS}
ESSENTIAL = frozenset({TrafficClass.DNS, TrafficClass.KUBELET_PROBES})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a statement may look at."""

    finding: Finding
    blast: BlastRadius
    pods_on_node: int | None

    @property
    def breaks(self) -> frozenset[TrafficClass]:
        """Classes that the finding names."""
        return frozenset(self.finding.breaks)

    @property
    def disturbed(self) -> bool:
        """Some flows fail, at least now and then."""
        return bool(self.breaks) and self.finding.extent is not Extent.NONE

    @property
    def practically_all_pods(self) -> bool:
        """The class is one that every pod uses, and no count says that only some of them are hit."""
        if not self.breaks & (POD_CLASSES | {TrafficClass.HOST_EGRESS}):
            return False
        if self.blast.pods is None or not self.pods_on_node or self.finding.pods is None:
            return True
        return self.finding.pods >= PRACTICALLY_ALL * self.pods_on_node


@dataclass(frozen=True, slots=True)
class Statement:
    """One row: when it holds, the finding is at this level."""

    id: str
    level: Level
    words: str
    holds: Callable[[Facts], bool]


def _undo_cut(facts: Facts) -> bool:
    return facts.finding.cuts_undo


def _control_path_lost(facts: Facts) -> bool:
    return facts.finding.extent is Extent.TOTAL and bool(facts.breaks & CONTROL_PATHS)


def _class_lost(facts: Facts) -> bool:
    return facts.finding.extent is Extent.TOTAL and facts.practically_all_pods


def _exposes(facts: Facts) -> bool:
    return facts.finding.exposes


def _lost_for_some(facts: Facts) -> bool:
    return facts.finding.extent is Extent.TOTAL and bool(facts.breaks)


def _control_path_disturbed(facts: Facts) -> bool:
    return facts.disturbed and not facts.finding.capacity and bool(facts.breaks & CONTROL_PATHS)


def _now_and_then_for_all(facts: Facts) -> bool:
    return (
        facts.finding.extent is Extent.INTERMITTENT
        and not facts.finding.capacity
        and bool(facts.breaks & POD_CLASSES)
    )


def _essential_path_lost(facts: Facts) -> bool:
    return facts.disturbed and not facts.finding.capacity and bool(facts.breaks & ESSENTIAL)


def _several_classes(facts: Facts) -> bool:
    return facts.disturbed and not facts.finding.capacity and len(facts.breaks & SERVICE_PATHS) > 1


def _new_pods_fail(facts: Facts) -> bool:
    return "pod-lifecycle" in facts.finding.side_effects


def _no_way_back(facts: Facts) -> bool:
    return facts.disturbed and facts.finding.reversibility is Reversibility.NONE


def _rehearsal_refutes(facts: Facts) -> bool:
    return "rehearsal-refutes" in facts.finding.side_effects


def _some_flows(facts: Facts) -> bool:
    return facts.disturbed


def _source_changes(facts: Facts) -> bool:
    return bool({"source-ip-lost", "networkpolicy", "security-exposure"} & set(facts.finding.side_effects))


def _path_closed(facts: Facts) -> bool:
    return "path-closed" in facts.finding.side_effects


def _path_changes(facts: Facts) -> bool:
    return "path-changed" in facts.finding.side_effects


def _live_connections(facts: Facts) -> bool:
    return bool(facts.breaks) and facts.finding.reversibility is not Reversibility.FULL


def _may_take_away(facts: Facts) -> bool:
    return facts.finding.confidence is Confidence.UNKNOWN and facts.finding.extent is not Extent.NONE


TABLE: tuple[Statement, ...] = (
    Statement(
        "undo-out-of-reach",
        Level.CRITICAL,
        "The operator or the undo may not reach the node afterwards.",
        _undo_cut,
    ),
    Statement(
        "control-path-lost",
        Level.CRITICAL,
        "The node loses its API server or its management access.",
        _control_path_lost,
    ),
    Statement(
        "class-lost-node-wide",
        Level.CRITICAL,
        "A traffic class is lost for practically all pods of the node.",
        _class_lost,
    ),
    Statement("newly-let-in", Level.HIGH, "Something outside is newly let in.", _exposes),
    Statement(
        "class-lost-for-some",
        Level.HIGH,
        "A traffic class is lost for the pods, ports or entries that use it, not for the whole node.",
        _lost_for_some,
    ),
    Statement(
        "control-path-disturbed",
        Level.HIGH,
        "The path to the API server or to the operator works only for some flows or some of the time.",
        _control_path_disturbed,
    ),
    Statement(
        "now-and-then-for-all",
        Level.HIGH,
        "A class that every pod uses fails now and then, without any load.",
        _now_and_then_for_all,
    ),
    Statement(
        "essential-path-lost",
        Level.HIGH,
        "DNS or health probes that worked fail for some pods.",
        _essential_path_lost,
    ),
    Statement(
        "several-classes",
        Level.HIGH,
        "Several traffic classes are lost for some flows, pods or ports.",
        _several_classes,
    ),
    Statement("new-pods-fail", Level.HIGH, "New pods do not start on the node.", _new_pods_fail),
    Statement(
        "no-way-back", Level.HIGH, "Flows are lost, and undoing does not bring them all back.", _no_way_back
    ),
    Statement(
        "rehearsal-refutes",
        Level.HIGH,
        "Run on a real kernel, the plan does something else than it says, or its way back leaves something behind.",
        _rehearsal_refutes,
    ),
    Statement(
        "some-flows",
        Level.MEDIUM,
        "Some flows, pods or ports of one class are lost, or only under load or on a node event.",
        _some_flows,
    ),
    Statement(
        "source-or-path-changes",
        Level.MEDIUM,
        "The source address that others see, or what guards a path, changes.",
        _source_changes,
    ),
    Statement(
        "path-closed",
        Level.MEDIUM,
        "A listening port of the node, or a network behind it, no longer answers senders that it answered.",
        _path_closed,
    ),
    Statement(
        "path-changes",
        Level.MEDIUM,
        "Packets take another way, or go to another destination.",
        _path_changes,
    ),
    Statement(
        "live-connections-break",
        Level.MEDIUM,
        "Open connections break once; new ones work.",
        _live_connections,
    ),
    Statement(
        "may-take-away",
        Level.MEDIUM,
        "Not decided, and it can take something away that worked.",
        _may_take_away,
    ),
    Statement("latent", Level.LOW, "Latent, cosmetic, or a matter of capacity and timing.", lambda _: True),
)


def decide(facts: Facts) -> Statement:
    """The first statement that holds."""
    return next(statement for statement in TABLE if statement.holds(facts))


def printed() -> str:
    """The whole table as Markdown, for the documentation and its test."""
    rows = ["| level | statement | what makes it so |", "| --- | --- | --- |"]
    rows += [f"| {row.level.words} | `{row.id}` | {row.words} |" for row in TABLE]
    rows.append("| none | `proven-equal` | It is proven that no packet changes its fate. |")
    return "\n".join(rows) + "\n"

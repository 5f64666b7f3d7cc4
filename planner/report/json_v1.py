"""The published JSON form, version 1: models of its own, so that the inside may change without the consumers' noticing."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.models.assessment import Assessment
from planner.models.plan import Plan, Step
from planner.models.proposal import Command
from planner.models.source import Source
from planner.report.packets_v1 import PacketClassV1, PathV1, published_packets, published_paths
from planner.report.rehearsal import RehearsalV1, published
from planner.report.words import command_line, describe

LevelWord = Literal["none", "low", "medium", "high", "critical"]
OnsetWord = Literal["now", "new-pods", "service-restart", "reboot"]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlaceV1(_Form):
    """Where in the proposal."""

    file: str
    line: int | None = Field(description="1-based; null when the whole file is meant")


class ChangeV1(_Form):
    """One difference."""

    kind: str
    node: str
    text: str = Field(description="one line for people")
    level: LevelWord
    onset: OnsetWord
    cause: str = Field(
        description="proposed, kernel (a side effect), maybe (the kernel may), owner (an agent)"
    )
    place: PlaceV1 | None
    findings: tuple[int, ...] = Field(description="positions in `findings`, from 0")


class BlastV1(_Form):
    """Who is reached if it goes wrong."""

    traffic: tuple[str, ...]
    nodes: tuple[str, ...]
    pods: int | None = Field(description="null: not known")
    workloads: tuple[str, ...]
    namespaces: tuple[str, ...]
    services: tuple[str, ...]
    live_flows: int | None
    text: str


class FindingV1(_Form):
    """One risk applied to one or more changes."""

    risk: str
    title: str
    level: LevelWord
    score: float
    message: str
    changes: tuple[str, ...]
    place: PlaceV1 | None
    blast: BlastV1
    onset: OnsetWord
    confidence: str
    unknown_because: str
    reversibility: str
    undo: str
    remedy: str
    why: dict[str, str]


class StepV1(_Form):
    """One action with its way back."""

    number: int
    node: str
    title: str
    command: str
    undo: tuple[str, ...]
    undo_kind: str
    safe_to_stop: bool
    place: PlaceV1
    residue: tuple[str, ...]


class GapV1(_Form):
    """Something not read or not modelled."""

    section: str
    reason: str
    place: PlaceV1 | None


class ReportV1(_Form):
    """What `--format json` prints. Fields may be added within version 1; none is removed or changes its meaning."""

    format: Literal["netchange.report"] = "netchange.report"
    version: Literal["1"] = "1"
    netchange: str
    taken_at: str = Field(description="clock of the snapshot, RFC 3339")
    title: str
    level: LevelWord
    nodes: tuple[str, ...]
    cohorts: tuple[tuple[str, ...], ...]
    files: tuple[str, ...]
    findings: tuple[FindingV1, ...]
    changes: tuple[ChangeV1, ...]
    packets: tuple[PacketClassV1, ...] = Field(default=(), description="classes that are treated differently")
    equivalent: bool | None = Field(
        default=None,
        description="proven: no packet in scope is treated differently; null: nothing was compared",
    )
    packets_unknown: tuple[str, ...] = Field(
        default=(), description="why more packets may be treated differently"
    )
    paths: tuple[PathV1, ...] = Field(
        default=(), description="paths that must stay open and do not simply hold"
    )
    checked: tuple[str, ...] = Field(default=(), description="sentences: what was looked at and holds")
    preexisting: tuple[str, ...]
    drift: tuple[str, ...]
    gaps: tuple[GapV1, ...]
    steps: tuple[StepV1, ...]
    not_undoable: tuple[str, ...]
    rehearsals: tuple[RehearsalV1, ...] = ()


ONSETS: tuple[OnsetWord, ...] = ("now", "new-pods", "service-restart", "reboot")
LEVELS: tuple[LevelWord, ...] = ("none", "low", "medium", "high", "critical")


def report(assessment: Assessment) -> ReportV1:
    """The published form of an assessment."""
    return ReportV1(
        netchange=assessment.netchange,
        taken_at=assessment.taken_at,
        title=assessment.title,
        level=LEVELS[assessment.level],
        nodes=assessment.nodes,
        cohorts=tuple(cohort.nodes for cohort in assessment.cohorts),
        files=tuple(fragment.path for fragment in assessment.fragments),
        findings=tuple(_findings(assessment)),
        changes=tuple(
            ChangeV1(
                kind=scored.change.kind,
                node=scored.change.node,
                text=describe(scored.change),
                level=LEVELS[scored.score.level],
                onset=ONSETS[scored.change.horizon],
                cause=scored.change.cause.value,
                place=_place(scored.change.source),
                findings=scored.findings,
            )
            for scored in assessment.changes
        ),
        packets=tuple(published_packets(assessment)),
        equivalent=all(part.comparison.equivalent for part in assessment.packets)
        if assessment.packets
        else None,
        packets_unknown=tuple(
            dict.fromkeys(text for part in assessment.packets for text in part.comparison.unknown)
        ),
        paths=tuple(published_paths(assessment)),
        checked=assessment.checked,
        preexisting=tuple(finding.message for finding in assessment.preexisting),
        drift=tuple(describe(change) for change in assessment.drift),
        gaps=tuple(
            GapV1(section=gap.section, reason=gap.reason, place=_place(gap.source)) for gap in assessment.gaps
        ),
        steps=tuple(_step(plan, step) for plan in assessment.plans for step in plan.steps),
        not_undoable=tuple(
            f"{residue.what}: {residue.reason}" for plan in assessment.plans for residue in plan.not_undoable
        ),
        rehearsals=tuple(map(published, assessment.rehearsals)),
    )


def render(assessment: Assessment) -> str:
    """The published form as text: indented, newline at the end, equal bytes for equal input."""
    return report(assessment).model_dump_json(indent=2) + "\n"


def _place(source: Source | None) -> PlaceV1 | None:
    return PlaceV1(file=source.name, line=source.line or None) if source is not None else None


def _findings(assessment: Assessment) -> list[FindingV1]:
    found: list[FindingV1] = []
    for scored in assessment.findings:
        finding, score = scored.finding, scored.score
        entry = assessment.catalogue.get(finding.risk)
        found.append(
            FindingV1(
                risk=finding.risk,
                title=entry.title if entry else finding.risk,
                level=LEVELS[score.level],
                score=score.number,
                message=finding.message,
                changes=tuple(describe(change) for change in (finding.change, *finding.related)),
                place=_place(finding.source or finding.change.source),
                blast=BlastV1(
                    traffic=tuple(score.blast.traffic),
                    nodes=score.blast.nodes,
                    pods=score.blast.pods,
                    workloads=score.blast.workloads,
                    namespaces=score.blast.namespaces,
                    services=score.blast.services,
                    live_flows=score.blast.live_flows,
                    text=score.blast.sentence,
                ),
                onset=ONSETS[finding.onset],
                confidence=finding.confidence.value,
                unknown_because=finding.unknown_because,
                reversibility=finding.reversibility.value,
                undo=finding.undo,
                remedy=finding.remedy,
                why=score.why,
            )
        )
    return found


def _step(plan: Plan, step: Step) -> StepV1:
    operation = step.operation
    command = command_line(operation.argv) if isinstance(operation, Command) else f"write {operation.path}"
    place = _place(step.source) or PlaceV1(file="", line=None)
    return StepV1(
        number=step.number,
        node=plan.node,
        title=step.title,
        command=command,
        undo=tuple(command_line(action.argv) for action in step.undo),
        undo_kind=step.undo_kind.value,
        safe_to_stop=step.safe_to_stop,
        place=place,
        residue=tuple(f"{residue.what}: {residue.reason}" for residue in step.residue),
    )

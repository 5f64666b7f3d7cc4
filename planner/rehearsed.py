"""An assessment with its rehearsals: what they refute is a finding, and raises the level."""

from collections.abc import Sequence

from planner.models.assessment import Assessment, ScoredChange, ScoredFinding
from planner.models.rehearsal import Rehearsal
from planner.models.score import Score
from planner.models.snapshot import Snapshot
from planner.risks.catalogue import described
from planner.risks.rehearsal_refutes import refuted
from planner.scoring.score import score_finding


def with_rehearsals(
    assessment: Assessment, snapshot: Snapshot, rehearsals: Sequence[Rehearsal]
) -> Assessment:
    """The same assessment, with the evidence and with what it adds to findings, changes and level."""
    findings = list(assessment.findings)
    changes = list(assessment.changes)
    for rehearsal in rehearsals:
        for scored in _scored(assessment, snapshot, rehearsal):
            if scored.finding in [one.finding for one in findings]:
                continue
            findings.append(scored)
            number = next(n for n, one in enumerate(changes) if one.change == scored.finding.change)
            changes[number] = _raised(changes[number], scored.score, len(findings) - 1)
    order = sorted(range(len(findings)), key=lambda i: (-findings[i].score.level, -findings[i].score.number))
    place = {old: new for new, old in enumerate(order)}
    changes.sort(key=lambda one: (-one.score.level, -one.score.number))
    used = {one.finding.risk for one in findings}
    return assessment.model_copy(
        update={
            "rehearsals": tuple(rehearsals),
            "findings": tuple(findings[i] for i in order),
            "changes": tuple(
                one.model_copy(update={"findings": tuple(sorted(place[i] for i in one.findings))})
                for one in changes
            ),
            "level": max((assessment.level, *(one.score.level for one in findings))),
            "catalogue": {**assessment.catalogue, **described(sorted(used - assessment.catalogue.keys()))},
        }
    )


def _scored(assessment: Assessment, snapshot: Snapshot, rehearsal: Rehearsal) -> tuple[ScoredFinding, ...]:
    changes = [one.change for one in assessment.changes if one.change.node == rehearsal.node]
    plan = next(plan for plan in assessment.plans if plan.node == rehearsal.node)
    topology = next((one for one in assessment.topologies if one.node == rehearsal.node), None)
    node = next(node for node in snapshot.nodes if node.name == rehearsal.node)
    if not changes or topology is None:
        return ()
    cohort = next((one for one in assessment.cohorts if one.representative == rehearsal.node), None)
    return tuple(
        ScoredFinding(
            finding=finding,
            score=score_finding(
                finding,
                node=node,
                cluster=snapshot.cluster,
                topology=topology,
                nodes_total=len(snapshot.nodes),
                nodes=cohort.nodes if cohort is not None else (rehearsal.node,),
            ),
        )
        for finding in refuted(rehearsal, plan, changes)
    )


def _raised(change: ScoredChange, score: Score, finding: int) -> ScoredChange:
    louder = (score.level, score.number) > (change.score.level, change.score.number)
    return change.model_copy(
        update={
            "score": score if louder else change.score,
            "findings": (*change.findings, finding),
        }
    )

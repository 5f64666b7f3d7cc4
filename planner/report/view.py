"""What a report shows: chosen, grouped, counted. The formats only draw it."""

from collections import Counter
from dataclasses import dataclass

from planner.models.assessment import Assessment, ScoredChange, ScoredFinding
from planner.models.change import Change, DocumentChange, FileChange
from planner.models.finding import Confidence, Level
from planner.models.horizon import Horizon
from planner.models.plan import Plan, Residue
from planner.models.source import Gap, Source
from planner.report.words import count, describe

KINDS = {
    "sysctl": "sysctl",
    "rule": "rule",
    "chain": "chain",
    "chain-policy": "chain policy",
    "nft-table": "nft table",
    "ipset": "ipset",
    "route": "route",
    "policy-rule": "policy rule",
    "nexthop": "nexthop",
    "link": "link",
    "neighbour": "neighbour",
    "fdb": "FDB entry",
    "document": "setting",
    "file": "file",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One finding, ready to be drawn."""

    number: int
    level: Level
    risk: str
    title: str
    changes: tuple[str, ...]
    """The first few in words."""
    more_changes: int
    message: str
    where: str
    """File and line of the proposal, or empty."""
    blast: str
    onset: str
    confidence: str
    reversibility: str
    remedy: str
    score: float
    unknown: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Changes of one kind."""

    name: str
    lines: tuple[tuple[Level, str, str], ...]
    """Level, text, place."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a format may draw, in order of importance."""

    level: Level
    headline: str
    scope: str
    taken_at: str
    title: str
    facts: tuple[tuple[str, str], ...]
    items: tuple[Item, ...]
    groups: tuple[Group, ...]
    quiet: tuple[str, ...]
    """Changes without any finding, in words: looked at, nothing found."""
    preexisting: tuple[str, ...]
    drift: tuple[str, ...]
    gaps: tuple[Gap, ...]
    plans: tuple[Plan, ...]
    residue: tuple[Residue, ...]
    netchange: str


def view(assessment: Assessment) -> View:
    """The view of an assessment."""
    items = tuple(_item(number, scored, assessment) for number, scored in enumerate(assessment.findings, 1))
    return View(
        level=assessment.level,
        headline=_headline(assessment),
        scope=_scope(assessment),
        taken_at=assessment.taken_at,
        title=assessment.title,
        facts=_facts(assessment),
        items=items,
        groups=_groups(assessment.changes),
        quiet=tuple(
            f"{describe(scored.change)}: {scored.score.why.get('level', '')}"
            for scored in assessment.changes
            if not scored.findings
        ),
        preexisting=tuple(finding.message for finding in assessment.preexisting),
        drift=tuple(describe(change) for change in assessment.drift),
        gaps=assessment.gaps,
        plans=assessment.plans,
        residue=tuple(dict.fromkeys(item for plan in assessment.plans for item in plan.not_undoable)),
        netchange=assessment.netchange,
    )


def place(source: Source | None) -> str:
    """File and line, or empty."""
    return str(source) if source is not None else ""


def _item(number: int, scored: ScoredFinding, assessment: Assessment) -> Item:
    finding, score = scored.finding, scored.score
    entry = assessment.catalogue.get(finding.risk)
    changes: tuple[Change, ...] = (finding.change, *finding.related)
    texts = tuple(dict.fromkeys(describe(change) for change in changes))
    return Item(
        number=number,
        level=score.level,
        risk=finding.risk,
        title=entry.title if entry else finding.risk,
        changes=texts[:3],
        more_changes=max(0, len(texts) - 3),
        message=finding.message,
        where=place(finding.source or finding.change.source),
        blast=score.blast.sentence,
        onset=finding.onset.words,
        confidence=_confidence(finding.confidence, finding.unknown_because),
        reversibility=f"{finding.reversibility.value}" + (f": {finding.undo}" if finding.undo else ""),
        remedy=finding.remedy,
        score=score.number,
        unknown=finding.confidence is Confidence.UNKNOWN,
    )


def _confidence(confidence: Confidence, because: str) -> str:
    return f"unknown: {because}" if confidence is Confidence.UNKNOWN and because else confidence.value


def _headline(assessment: Assessment) -> str:
    if not assessment.changes:
        return "nothing changes"
    levels = Counter(scored.score.level for scored in assessment.findings)
    parts = [f"{levels[level]} {level.words}" for level in sorted(levels, reverse=True) if level]
    return f"{count(len(assessment.findings), 'finding')} ({', '.join(parts)})" if parts else "no finding"


def _scope(assessment: Assessment) -> str:
    files = ", ".join(fragment.path for fragment in assessment.fragments[:4])
    more = len(assessment.fragments) - 4
    files += f" and {more} more" if more > 0 else ""
    nodes = count(len(assessment.nodes), "node")
    named = f" ({assessment.nodes[0]})" if len(assessment.nodes) == 1 else ""
    groups = f" in {count(len(assessment.cohorts), 'cohort')}" if len(assessment.nodes) > 1 else ""
    return f"{files} → {nodes}{named}{groups}"


def _facts(assessment: Assessment) -> tuple[tuple[str, str], ...]:
    kinds = Counter[str](scored.change.kind for scored in assessment.changes)
    what = ", ".join(count(kinds[kind], name) for kind, name in KINDS.items() if kinds[kind])
    onsets = Counter(scored.finding.onset for scored in assessment.findings)
    when = ", ".join(f"{onsets[horizon]} {horizon.words}" for horizon in Horizon if onsets[horizon])
    unknown = sum(s.finding.confidence is Confidence.UNKNOWN for s in assessment.findings)
    steps = sum(len(plan.steps) for plan in assessment.plans)
    residue = sum(len(plan.not_undoable) for plan in assessment.plans)
    facts = [
        ("Changes", what or "none"),
        ("Findings bite", when or "nothing found that bites"),
        (
            "Undecided",
            f"{count(unknown, 'finding')}: packets are not analysed yet or an input is missing"
            if unknown
            else "none",
        ),
        ("Not read or not modelled", count(len(assessment.gaps), "gap") if assessment.gaps else "none"),
        (
            "Rollback",
            f"{count(steps, 'step')}, each with its undo; {count(residue, 'thing')} an undo does not bring back"
            if steps
            else "nothing to undo",
        ),
        ("Rehearsed", "not rehearsed"),
    ]
    if assessment.drift:
        facts.append(("Drift before this change", count(len(assessment.drift), "value")))
    return tuple(facts)


def _groups(changes: tuple[ScoredChange, ...]) -> tuple[Group, ...]:
    groups: list[Group] = []
    for kind, name in KINDS.items():
        lines = tuple(
            (scored.score.level, _with_horizon(scored.change), place(scored.change.source))
            for scored in changes
            if scored.change.kind == kind
        )
        if lines:
            groups.append(Group(name=name, lines=lines))
    return tuple(groups)


def _with_horizon(change: Change) -> str:
    text = describe(change)
    if change.horizon is Horizon.NOW or isinstance(change, DocumentChange | FileChange):
        return text
    return f"{text} ({change.horizon.words})"

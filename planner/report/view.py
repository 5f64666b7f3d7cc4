"""What a report shows: chosen, grouped, counted. The formats only draw it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from planner.models.assessment import Assessment, ScoredChange, ScoredFinding
from planner.models.change import Cause, Change, DocumentChange, FileChange, SysctlChange
from planner.models.finding import Confidence, Level
from planner.models.horizon import Horizon
from planner.models.plan import Plan
from planner.models.rehearsal import Rehearsal
from planner.models.source import WOULD_FAIL, Gap, Source
from planner.report.packets import PacketBlock, packet_blocks, short_verdict
from planner.report.paths import PathGroup, path_groups
from planner.report.rehearsal import in_short
from planner.report.words import count, describe
from planner.sysctls.names import link_key

KINDS = {
    "sysctl": "sysctl",
    "rule": "rule",
    "chain": "chain",
    "chain-policy": "chain policy",
    "nft-table": "nft table",
    "nft-rule": "nft rule",
    "nft-object": "nft declaration",
    "ipset": "ipset",
    "route": "route",
    "policy-rule": "policy rule",
    "nexthop": "nexthop",
    "link": "link",
    "neighbour": "neighbour",
    "fdb": "FDB entry",
    "document": "setting",
    "file": "file",
    "passing": "passing state",
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
    total: int
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
    fails: tuple[str, ...]
    """Commands that the node would refuse, with place and reason; not among the gaps."""
    gaps: tuple[Gap, ...]
    plans: tuple[Plan, ...]
    rehearsals: tuple[Rehearsal, ...]
    packets: tuple[PacketBlock, ...]
    paths: tuple[PathGroup, ...]
    checked: tuple[str, ...]
    residue: tuple[str, ...]
    """What an undo does not bring back, things with the same reason in one sentence."""
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
        fails=tuple(_failing(gap) for gap in _fails(assessment)),
        gaps=_unread(assessment),
        plans=assessment.plans,
        rehearsals=assessment.rehearsals,
        packets=tuple(packet_blocks(assessment)),
        paths=path_groups(assessment),
        checked=assessment.checked,
        residue=_residue(assessment.plans),
        netchange=assessment.netchange,
    )


def _residue(plans: tuple[Plan, ...]) -> tuple[str, ...]:
    by_reason: dict[str, list[str]] = {}
    for plan in plans:
        for item in plan.not_undoable:
            things = by_reason.setdefault(item.reason, [])
            if item.what not in things:
                things.append(item.what)
    return tuple(
        f"{', '.join(things[:4])}{f' and {len(things) - 4} more' if len(things) > 4 else ''}: {reason}"
        for reason, things in by_reason.items()
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


def _fails(assessment: Assessment) -> tuple[Gap, ...]:
    return tuple(gap for gap in assessment.gaps if gap.section == WOULD_FAIL)


def _unread(assessment: Assessment) -> tuple[Gap, ...]:
    return tuple(gap for gap in assessment.gaps if gap.section != WOULD_FAIL)


def _failing(gap: Gap) -> str:
    return f"{gap.source}: {gap.reason}" if gap.source is not None else gap.reason


def _failing_commands(assessment: Assessment) -> tuple[str, ...]:
    """Where they stand: a command that fails on several cohorts is one."""
    return tuple(dict.fromkeys(place(gap.source) or gap.reason for gap in _fails(assessment)))


def _headline(assessment: Assessment) -> str:
    failing = len(_failing_commands(assessment))
    also = f"; {count(failing, 'command')} would fail" if failing else ""
    if not assessment.changes:
        unread = len({str(gap) for gap in assessment.gaps if gap.section == "proposal"})
        if unread:
            part = f"{unread} parts are not" if unread > 1 else "1 part is not"
            hang = sum(one.doubtful and one.step is None for one in assessment.invariants)
            paths = f", and {count(hang, 'path')} may hang on it" if hang else ""
            return f"nothing changes as far as the proposal is understood; {part}{paths}{also}"
        return f"nothing changes{also}"
    levels = Counter(scored.score.level for scored in assessment.findings)
    parts = [f"{levels[level]} {level.words}" for level in sorted(levels, reverse=True) if level]
    found = f"{count(len(assessment.findings), 'finding')} ({', '.join(parts)})" if parts else "no finding"
    return f"{found}{also}"


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
    unwritten = sum(not plan.steps and bool(plan.not_planned) for plan in assessment.plans)
    residue = len(_residue(assessment.plans))
    failing, unread = _failing_commands(assessment), _unread(assessment)
    facts = [
        ("Changes", what or "none"),
        ("Findings bite", when or "nothing found that bites"),
        ("Packets", short_verdict(assessment.packets) or "not compared"),
        ("Paths that must stay open", _paths(assessment)),
        (
            "Undecided",
            f"{count(unknown, 'finding')}: something that decides is not known or not modelled"
            if unknown
            else "none",
        ),
        ("Not read or not modelled", count(len(unread), "gap") if unread else "none"),
        (
            "Rollback",
            f"{count(steps, 'step')}, each with its undo; {count(residue, 'thing')} an undo does not bring back"
            + (f"; none could be written for {count(unwritten, 'node')}" if unwritten else "")
            if steps
            else "none could be written: see what was not read"
            if unwritten
            else "nothing to undo",
        ),
        ("Rehearsed", in_short(assessment.rehearsals)),
    ]
    if failing:
        places = ", ".join(failing[:3]) + (f" and {len(failing) - 3} more" if len(failing) > 3 else "")
        facts.insert(1, ("Would fail", f"{count(len(failing), 'command')}: {places}"))
    if assessment.drift:
        facts.append(("Drift before this change", count(len(assessment.drift), "value")))
    return tuple(facts)


def _paths(assessment: Assessment) -> str:
    kept = assessment.invariants
    broken = sum(one.newly_broken and one.step is None for one in kept)
    between = sum(one.step is not None for one in kept)
    parts = [f"{count(broken, 'path')} broken"] if broken else []
    parts += [f"{count(between, 'path')} shut between two steps"] if between else []
    doubtful = sum(one.doubtful and one.step is None for one in kept)
    parts += [f"{count(doubtful, 'path')} not known any more"] if doubtful else []
    return ", ".join(parts) or ("none broken" if assessment.checked else "none known")


def _groups(changes: tuple[ScoredChange, ...]) -> tuple[Group, ...]:
    groups: list[Group] = []
    for kind, name in KINDS.items():
        found = [scored for scored in changes if scored.change.kind == kind]
        lines = tuple(_lines(found))
        if lines:
            groups.append(Group(name=name, total=len(found), lines=lines))
    return tuple(groups)


def _lines(changes: list[ScoredChange]) -> Iterator[tuple[Level, str, str]]:
    """A line for each change; what the kernel copies to many links is one line that counts them."""
    copies: dict[tuple[object, ...], list[ScoredChange]] = {}
    for scored in changes:
        copies.setdefault(_copy_key(scored) or (id(scored),), []).append(scored)
    for alike in copies.values():
        first = alike[0]
        text, where = _with_horizon(first.change), place(first.change.source)
        if len(alike) > 1 and isinstance(first.change, SysctlChange):
            key = link_key(first.change.key)
            names = [
                str(one.link)
                for scored in alike
                if isinstance(scored.change, SysctlChange)
                for one in [link_key(scored.change.key)]
                if one
            ]
            shown = ", ".join(sorted(names)[:3])
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            knob = f"net.{key.family}.{key.group}.*.{key.knob}" if key else first.change.key
            text = f"{knob} on {count(len(names), 'link')} ({shown}{more}): {first.change.before} → {first.change.after}, by the kernel itself"
        yield first.score.level, text, where


def _copy_key(scored: ScoredChange) -> tuple[object, ...] | None:
    change = scored.change
    if not isinstance(change, SysctlChange) or change.cause is not Cause.KERNEL:
        return None
    key = link_key(change.key)
    if key is None:
        return None
    return (
        key.family,
        key.group,
        key.knob,
        change.before,
        change.after,
        change.horizon,
        str(change.source),
        scored.score.level,
    )


def _with_horizon(change: Change) -> str:
    text = describe(change)
    if change.horizon is Horizon.NOW or isinstance(change, DocumentChange | FileChange):
        return text
    return f"{text} ({change.horizon.words})"

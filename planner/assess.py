"""`assess()` is the program: snapshot and proposal in, assessment out. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from planner import __version__
from planner.changes import changes_of, drift_of
from planner.cohorts import cohorts
from planner.errors import NetchangeError
from planner.invariants.summary import notable, summary
from planner.models.assessment import Assessment, Cohort, ScoredChange, ScoredFinding
from planner.models.change import Change
from planner.models.cluster import Cluster
from planner.models.finding import Finding, Level
from planner.models.horizon import Horizon
from planner.models.invariant import Kept
from planner.models.node import NodeState
from planner.models.plan import Plan
from planner.models.proposal import Fragment, Outlook
from planner.models.score import Score
from planner.models.snapshot import Snapshot
from planner.models.source import WOULD_FAIL, Gap
from planner.models.topology import Topology
from planner.packet_changes import PacketChanges
from planner.plan.build import build_plan
from planner.plan.order import Order, in_order
from planner.proposal.propose import propose
from planner.proposal.transition import propose_state
from planner.risks.catalogue import described, find
from planner.risks.moved import Moved, moves
from planner.risks.nft_lines import with_lines
from planner.risks.risk import Review
from planner.scoring.score import Packets, score_change, score_finding
from planner.topology.derive import derive_topology

BUDGET = 20.0
"""Seconds, about, for one comparison of all packets."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What the stages make of one cohort's representative."""

    cohort: Cohort
    node: NodeState
    outlook: Outlook
    topology: Topology
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    plan: Plan
    kept: tuple[Kept, ...]
    packets: PacketChanges
    moved: Mapping[Horizon, Moved]


def assess(
    snapshot: Snapshot,
    fragments: Sequence[Fragment],
    *,
    title: str = "",
    growth: float = 5.0,
    budget: float = BUDGET,
) -> Assessment:
    """Everything found about one proposal: changes, findings, scores and plans, loudest first.

    `growth` is the factor by which the usage in the snapshot may grow before a limit must not bind; `budget` is about how many
    seconds one comparison of packets may take.
    """
    by_target = {fragment.target: fragment for fragment in fragments if fragment.target}
    reviewed = []
    for cohort in cohorts(snapshot):
        node = node_of(snapshot, cohort.representative)
        outlook = propose(node, fragments)
        reviewed.append(review(cohort, node, outlook, by_target, snapshot.cluster, growth, budget))
    return _assembled(snapshot, reviewed, fragments, title)


def assess_snapshots(
    before: Snapshot,
    after: Snapshot,
    *,
    name: str,
    title: str = "",
    growth: float = 5.0,
    budget: float = BUDGET,
) -> Assessment:
    """The same for another snapshot as the proposal; `name` is its file. Nodes are paired by name, a single one with a single one."""
    wanted = {node.name: node for node in after.nodes}
    if len(before.nodes) == len(after.nodes) == 1:
        wanted = {before.nodes[0].name: after.nodes[0]}
    reviewed = []
    for node in sorted(before.nodes, key=lambda node: node.name):
        if node.name not in wanted:
            continue
        cohort = Cohort(representative=node.name, nodes=(node.name,))
        outlook = propose_state(node, wanted[node.name], name=name)
        reviewed.append(review(cohort, node, outlook, {}, before.cluster, growth, budget))
    return _assembled(before, reviewed, (), title or f"bring the nodes to the state recorded in {name}")


def node_of(snapshot: Snapshot, name: str) -> NodeState:
    """The node of that name."""
    return next(node for node in snapshot.nodes if node.name == name)


def _assembled(
    snapshot: Snapshot, reviewed: Sequence[Reviewed], fragments: Sequence[Fragment], title: str
) -> Assessment:
    total = len(snapshot.nodes)
    findings: list[ScoredFinding] = []
    changes: list[tuple[Change, list[int], Score]] = []
    for part in reviewed:
        changes.extend(_scored(part, snapshot, total, findings))
    order = sorted(range(len(findings)), key=lambda i: _finding_rank(findings[i]))
    place = {old: new for new, old in enumerate(order)}
    ranked = sorted(changes, key=_change_rank)
    used = {scored.finding.risk for scored in findings}
    return Assessment(
        netchange=__version__,
        taken_at=snapshot.taken_at,
        title=title,
        level=max((_ignorance(reviewed), *(score.level for _, _, score in changes))),
        fragments=tuple(fragments),
        nodes=tuple(sorted(node.name for node in snapshot.nodes)),
        cohorts=tuple(part.cohort for part in reviewed),
        topologies=tuple(part.topology for part in reviewed),
        changes=tuple(
            ScoredChange(change=change, score=score, findings=tuple(sorted(place[i] for i in numbers)))
            for change, numbers, score in ranked
        ),
        findings=tuple(findings[i] for i in order),
        preexisting=tuple(f for part in reviewed for f in part.findings if f.preexisting),
        drift=tuple(change for part in reviewed for change in drift_of(part.node, part.outlook)),
        effects=tuple(effect for part in reviewed for effect in part.outlook.effects),
        gaps=tuple(dict.fromkeys(gap for part in reviewed for gap in _gaps(part))),
        catalogue=described(sorted(used)),
        checked=tuple(sentence for part in reviewed for sentence in summary(part.node.name, part.kept)),
        plans=tuple(part.plan for part in reviewed),
        invariants=tuple(one for part in reviewed for one in notable(part.kept)),
        packets=tuple(told for part in reviewed for told in part.packets.told(_own(part))),
    )


def review(
    cohort: Cohort,
    node: NodeState,
    outlook: Outlook,
    by_target: Mapping[str, Fragment],
    cluster: Cluster | None,
    growth: float,
    budget: float = BUDGET,
) -> Reviewed:
    """The stages, in order, for the node that represents a cohort."""
    topology = derive_topology(node, cluster)
    order = in_order(outlook, topology, cluster)
    outlook = order.outlook
    changes = changes_of(outlook, by_target)
    after: dict[Horizon, Topology] = {}
    packets = PacketChanges(outlook, topology, cluster, budget)
    moved = {horizon: Moved(packets, changes, horizon) for horizon in Horizon}

    def review_for(change: Change) -> Review:
        horizon = change.horizon
        if horizon not in after:
            after[horizon] = derive_topology(outlook.after[horizon], cluster)
        return Review(
            before=outlook.before[horizon],
            after=outlook.after[horizon],
            topology=topology,
            topology_after=after[horizon],
            outlook=outlook,
            changes=changes,
            cluster=cluster,
            growth=growth,
            moved=moved[horizon],
        )

    findings = with_lines(find(changes, review_for), outlook.effects)
    plan = _plan(order, topology, cluster)
    return Reviewed(cohort, node, outlook, topology, changes, findings, plan, order.kept, packets, moved)


def _plan(order: Order, topology: Topology, cluster: Cluster | None) -> Plan:
    """The plan, or the reason why there is none: what the node holds may not be writable by any command."""
    try:
        plan = build_plan(order.outlook, topology=topology, cluster=cluster, kept=order.kept)
        return plan.model_copy(update={"notes": (*order.notes, *plan.notes)}) if order.notes else plan
    except NetchangeError as error:
        reason = f"no plan and no rollback can be written: {error.message}"
        return Plan(node=order.outlook.node, not_planned=(Gap(section="plan", reason=reason),))


def _scored(
    part: Reviewed, snapshot: Snapshot, total: int, findings: list[ScoredFinding]
) -> Iterator[tuple[Change, list[int], Score]]:
    """Scores of one cohort; its findings are added to `findings`, whose positions the changes name."""
    about: dict[int, list[int]] = {}
    positions = {id(change): number for number, change in enumerate(part.changes)}
    for finding in part.findings:
        if finding.preexisting:
            continue
        score = score_finding(
            finding,
            node=part.node,
            cluster=snapshot.cluster,
            topology=part.topology,
            nodes_total=total,
            nodes=part.cohort.nodes,
        )
        findings.append(ScoredFinding(finding=finding, score=score))
        for change in (finding.change, *finding.related):
            number = positions.get(id(change))
            if number is None:
                number = next((n for n, other in enumerate(part.changes) if other == change), None)
            if number is not None:
                about.setdefault(number, []).append(len(findings) - 1)
    for number, change in enumerate(part.changes):
        numbers = sorted(set(about.get(number, [])))
        yield (
            change,
            numbers,
            score_change(
                change,
                [findings[i].score for i in numbers],
                packets=_silence(part.moved[change.horizon], change),
            ),
        )


def _own(part: Reviewed) -> frozenset[Horizon]:
    """Horizons with changes of their own that can move packets."""
    return frozenset(change.horizon for change in part.changes if moves(change))


def _silence(moved: Moved, change: Change) -> Packets | None:
    """What the comparison says of a change; None where it has nothing to say about such changes."""
    if not moves(change):
        return None
    if moved.proven(change):
        return Packets.EQUIVALENT
    if moved.doubts(change):
        return Packets.UNKNOWN
    if moved.absent(change):
        return Packets.DORMANT
    return Packets.MOVED if id(change) in moved.at_fault else Packets.ELSEWHERE


def _finding_rank(scored: ScoredFinding) -> tuple[object, ...]:
    finding, score = scored.finding, scored.score
    return (-score.level, -score.number, score.onset, finding.change.node, finding.risk, finding.message)


def _change_rank(item: tuple[Change, list[int], Score]) -> tuple[object, ...]:
    change, _, score = item
    return (-score.level, -score.number, change.horizon, change.node, change.kind, change.model_dump_json())


def _ignorance(reviewed: Sequence[Reviewed]) -> Level:
    """What is not understood of the proposal may do something, and what the node refuses is not what was wanted.

    More than that where a path that must stay open hangs on it, nobody knows whether it still does, and where a program is run that
    is there to change the network.
    """
    levels = [Level.NONE]
    for part in reviewed:
        unread = {gap.section for gap in part.outlook.gaps}
        if unread & {"proposal", WOULD_FAIL}:
            levels.append(Level.LOW)
        if any(gap.network for gap in part.outlook.gaps) or (
            "proposal" in unread and any(one.doubtful for one in part.kept)
        ):
            levels.append(Level.MEDIUM)
    return max(levels)


def _gaps(part: Reviewed) -> tuple[Gap, ...]:
    return (*part.node.gaps, *part.outlook.gaps, *part.plan.not_planned)

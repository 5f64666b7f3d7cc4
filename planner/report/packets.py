"""What an assessment says of all packets: for each node and horizon a verdict, then one line for each part of its traffic."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from planner.models.assessment import Assessment
from planner.models.change import Change
from planner.models.comparison import Comparison, Ending, Exactness, NodeComparison, PacketClass
from planner.models.flow import Disposition, Hop, Trace
from planner.models.horizon import Horizon
from planner.models.traffic import TrafficClass
from planner.report.words import count
from planner.risks.moved import line_of
from planner.risks.nft_lines import rule_lines

PROVEN = "Equivalent: proven"
ASIDE = frozenset({"odd", "refused", "other", "unserved", "vacant", "sizes", "passing"})
"""Parts that nobody asks about; they are counted."""
SCOPE = "Looked at: all unicast packets of IPv4 and IPv6 that are routed or cross a bridge; docs/concepts/data-plane.md says what is not."
WORDS = {
    "blocked": "newly blocked",
    "let through": "newly let through",
    "otherwise": "led elsewhere",
    "unknown": "not decided",
}
ITSELF = "self"
"""The node's packets to itself."""
PRACTICALLY_ALL = 0.9
IDLE = frozenset({"node", "pods-to-node", ITSELF})
KINDS = ("blocked", "let through", "otherwise", "unknown")
REASONS = 3
NEARLY = 0.9
URGENT: tuple[TrafficClass | None, ...] = (
    TrafficClass.NODE_MANAGEMENT, TrafficClass.NODE_TO_APISERVER, TrafficClass.DNS, TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_EXTERNAL, TrafficClass.EXTERNAL_TO_NODEPORT_LB,
    TrafficClass.KUBELET_PROBES, TrafficClass.POD_TO_POD_SAME_NODE, TrafficClass.HOSTPORT, TrafficClass.HOST_EGRESS,
)  # fmt: skip
"""What a reader wants to know first."""


@dataclass(frozen=True, slots=True)
class PacketLine:
    """One part of the traffic that is treated differently in one way."""

    kind: str
    """blocked, let through, otherwise or unknown."""
    words: str
    """Whose packets; with `some of` where not all are meant."""
    before: str
    after: str
    sure: str
    """Empty where it is exact."""
    witness: str
    rule: str
    """What decides, and empty where nothing can be named."""
    where: str
    """File and line of the proposal."""
    urgency: int


@dataclass(frozen=True, slots=True)
class PacketBlock:
    """One node at one horizon."""

    node: str
    when: str
    verdict: str
    lines: tuple[PacketLine, ...]
    others: int
    """Classes of packets that nobody asks about."""
    unknown: tuple[str, ...]


def places(assessment: Assessment) -> Callable[[str, PacketClass], str]:
    """Where in the proposal a class of a node's packets is decided."""
    changes: dict[str, list[Change]] = {}
    for scored in assessment.changes:
        changes.setdefault(scored.change.node, []).append(scored.change)

    lines = rule_lines(assessment.effects)

    def place(node: str, one: PacketClass) -> str:
        found = lines.of(decided_by(one))
        return str(found) if found is not None else line_of(one, changes.get(node, []))

    return place


def packet_blocks(assessment: Assessment) -> Iterator[PacketBlock]:
    """At once, and what later horizons have of their own."""
    where = places(assessment)
    told: dict[str, set[tuple[str, ...]]] = {}
    for one in assessment.packets:
        known = told.setdefault(one.node, set())
        block = _block(one, where, known)
        if one.horizon is Horizon.NOW or block.lines or block.unknown:
            yield block
        known.update(_key(line) for line in block.lines)


def short_verdict(comparisons: Iterable[NodeComparison]) -> str:
    """For the head of a report: the present horizon of all nodes together."""
    now = [one.comparison for one in comparisons if one.horizon is Horizon.NOW]
    if not now:
        return ""
    if all(one.equivalent for one in now):
        return f"{PROVEN}, no packet is treated differently at once"
    parts = _counted(now)
    unknown = any(one.unknown for one in now)
    if not parts:
        return "no packet that anybody sends is treated differently" + ("; not proven" if unknown else "")
    return ", ".join(parts) + ("; more may be, not everything is known" if unknown else "")


def _block(
    one: NodeComparison, where: Callable[[str, PacketClass], str], known: set[tuple[str, ...]]
) -> PacketBlock:
    asked = _asked(one.comparison)
    groups: dict[tuple[str, str], list[PacketClass]] = {}
    for found in asked:
        groups.setdefault((kind_of(found), found.words), []).append(found)
    lines = [_line(kind, members, one, where) for (kind, _), members in groups.items()]
    fresh = [line for line in sorted(lines, key=_rank) if _key(line) not in known]
    return PacketBlock(
        node=one.node,
        when=one.horizon.words,
        verdict=_verdict(one.comparison, len(lines) - len(fresh)),
        lines=tuple(fresh),
        others=len(one.comparison.classes) - len(asked),
        unknown=one.comparison.unknown if one.horizon is Horizon.NOW else (),
    )


def _verdict(comparison: Comparison, same: int) -> str:
    if comparison.equivalent:
        return PROVEN
    if not comparison.classes:
        return "no packet found that is treated differently; not proven, because not everything is known"
    parts = _counted([comparison])
    if not parts:
        return "only packets that nobody sends, or that are refused either way, are treated differently"
    return ", ".join(parts) + (f"; {same} of them at an earlier time already" if same else "")


def _counted(comparisons: list[Comparison]) -> list[str]:
    """`2 sorts of packets newly blocked`, `1 newly let in`."""
    told = {(at, kind_of(one), one.words) for at, each in enumerate(comparisons) for one in _asked(each)}
    kinds = [kind for _, kind, _ in told]
    found: list[str] = []
    for kind in KINDS:
        if number := kinds.count(kind):
            found.append(f"{number if found else count(number, 'sort') + ' of packets'} {WORDS[kind]}")
    return found


def _asked(comparison: Comparison) -> list[PacketClass]:
    # Where all of it is gone, programs that are not in the snapshot's list are cut off as well.
    gone = {(loss.part, loss.family) for loss in comparison.losses if loss.certain >= PRACTICALLY_ALL}
    return [
        one
        for one in comparison.classes
        if one.part not in ASIDE
        and (not _unheard(one) or (one.part == ITSELF and (ITSELF, one.witness.family) in gone))
    ]


def _unheard(one: PacketClass) -> bool:
    """To a port where nobody listens."""
    walked = one.walked_before
    return one.part in IDLE and walked is not None and walked.listens == "nobody"


def kind_of(one: PacketClass) -> str:
    """blocked, let through, otherwise or unknown."""
    if one.exactness is Exactness.UNKNOWN:
        return "unknown"
    return "blocked" if one.newly_blocked else "let through" if one.newly_allowed else "otherwise"


def _line(
    kind: str, members: list[PacketClass], held: NodeComparison, where: Callable[[str, PacketClass], str]
) -> PacketLine:
    first = min(members, key=lambda one: one.witness.state != "NEW")
    state = "" if first.witness.state == "NEW" else f", {first.witness.state}"
    because = "; ".join(first.because[:REASONS])
    return PacketLine(
        kind=kind,
        words=_whole(kind, first, held.comparison) + first.words,
        before=_ends(first.before, first.after),
        after=_ends(first.after, first.before),
        sure="" if first.exactness is Exactness.EXACT else because or first.exactness.value,
        witness=f"{first.witness}{state}",
        rule=decided_by(first),
        where=where(held.node, first),
        urgency=URGENT.index(first.traffic) if first.traffic in URGENT else len(URGENT),
    )


def _whole(kind: str, one: PacketClass, comparison: Comparison) -> str:
    """How much of its part is lost."""
    if kind != "blocked" or one.traffic is None:
        return ""
    mine = [loss for loss in comparison.losses if (loss.part, loss.family) == (one.part, one.witness.family)]
    if any(loss.everything for loss in mine):
        return "all "
    return "nearly all " if any(loss.certain >= NEARLY for loss in mine) else "some of: "


def _ends(ending: Ending, other: Ending) -> str:
    """In as few words as tell the sides apart."""
    words = [str(ending.disposition)]
    if ending.disposition in {Disposition.SENT, Disposition.BRIDGED} and ending.link:
        words.append(f"by {ending.link}")
        if ending.link == other.link and ending.next_hop != other.next_hop:
            words.append(f"via {ending.next_hop or 'nobody'}")
    if ending.destination != other.destination and ending.destination:
        words.append(f"to {ending.destination}")
    if ending.source != other.source and ending.source and other.passes:
        words.append(f"from {ending.source}")
    if ending.reject_kind:
        words.append(f"({ending.reject_kind})")
    return " ".join(words)


def decided_by(one: PacketClass) -> str:
    """What decides: of the side that does not pass, else the first rule or route in which the walks differ."""
    for trace, ending in ((one.walked_after, one.after), (one.walked_before, one.before)):
        if trace is not None and not ending.passes and trace.reason:
            return trace.reason
    if one.walked_before is None or one.walked_after is None:
        return ""
    return _parting(one.walked_before, one.walked_after)


def deciding_rule(one: PacketClass) -> Hop | None:
    """The rule among what decides, with its place; None where it is none of netfilter's."""
    for trace, ending in ((one.walked_after, one.after), (one.walked_before, one.before)):
        if trace is not None and not ending.passes and trace.hops:
            return trace.hops[-1] if trace.hops[-1].rule else None
    if one.walked_before is None or one.walked_after is None:
        return None
    hop = _parted(one.walked_before, one.walked_after)
    return hop if hop is not None and hop.rule else None


def _parting(before: Trace, after: Trace) -> str:
    hop = _parted(before, after)
    return (hop.rule or hop.what) if hop is not None else ""


def _parted(before: Trace, after: Trace) -> Hop | None:
    """The first hop of the way after that is not on the way before."""
    for at, hop in enumerate(after.hops):
        if at >= len(before.hops) or (before.hops[at].what, before.hops[at].rule) != (hop.what, hop.rule):
            return hop
    return None


def _rank(line: PacketLine) -> tuple[int, int, bool, str]:
    return KINDS.index(line.kind), line.urgency, not line.words.startswith("all "), line.words


def _key(line: PacketLine) -> tuple[str, ...]:
    return line.kind, line.words, line.before, line.after

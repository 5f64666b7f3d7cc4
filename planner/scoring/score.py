"""A score for each finding and for each change: level, number and a sentence for every part."""

import posixpath
from collections.abc import Sequence
from enum import StrEnum
from math import log10
from typing import assert_never

from planner.models.change import Change, FileChange, SysctlChange
from planner.models.cluster import Cluster
from planner.models.finding import Confidence, Finding, Level, Reversibility
from planner.models.node import NodeState
from planner.models.score import BlastRadius, Score
from planner.models.topology import Topology
from planner.models.traffic import TrafficClass
from planner.parse.sysctl_d import DIRECTORIES, LAST, read_sysctl_file
from planner.scoring.blast import blast_radius, pods_with_addresses, spread
from planner.scoring.table import BANDS, Facts, decide
from planner.sysctls.numbers import number


class Packets(StrEnum):
    """What the comparison of all packets says of a change that nothing was found about."""

    EQUIVALENT = "equivalent"
    """No packet is treated differently."""
    MOVED = "moved"
    """It moves packets that the findings about other changes tell, or that nobody misses."""
    ELSEWHERE = "elsewhere"
    """Packets are treated differently, and as far as they were followed this change does not do it."""
    UNKNOWN = "unknown"
    DORMANT = "dormant"
    """It asks for a link that the node has not got."""


SAID = {
    Packets.EQUIVALENT: (True, "Equivalent: proven"),
    Packets.MOVED: (
        False,
        "What it does to packets is told with the changes that it comes with, or concerns only packets that nobody sends or that are refused either way.",
    ),
    Packets.ELSEWHERE: (
        False,
        "Packets are treated differently, and the walks of those that were followed part at other changes.",
    ),
    Packets.DORMANT: (
        False,
        "It asks for a link that the node has not got: no packet is treated differently until one appears.",
    ),
    Packets.UNKNOWN: (False, "No packet was found that it treats differently; that is not proven."),
}

CEILINGS = frozenset(
    {
        "net.core.netdev_max_backlog",
        "net.core.optmem_max",
        "net.core.rmem_max",
        "net.core.somaxconn",
        "net.core.wmem_max",
        "net.ipv4.neigh.default.gc_thresh1",
        "net.ipv4.neigh.default.gc_thresh2",
        "net.ipv4.neigh.default.gc_thresh3",
        "net.ipv4.tcp_max_orphans",
        "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.tcp_max_tw_buckets",
        "net.ipv6.neigh.default.gc_thresh1",
        "net.ipv6.neigh.default.gc_thresh2",
        "net.ipv6.neigh.default.gc_thresh3",
        "net.ipv6.route.max_size",
        "net.netfilter.nf_conntrack_max",
        "net.nf_conntrack_max",
    }
)
"""Keys that only refuse beyond a number (Documentation/admin-guide/sysctl/net.rst, networking/ip-sysctl.rst)."""


def score_finding(
    finding: Finding,
    *,
    node: NodeState,
    cluster: Cluster | None,
    topology: Topology,
    nodes_total: int,
    nodes: tuple[str, ...] = (),
) -> Score:
    """Level by the table, number by the blast radius, a sentence for each component.

    Counted is what the one node loses; `nodes` are those of its cohort, which it stands for.
    """
    blast = blast_radius(finding, node=node, cluster=cluster, topology=topology, nodes_total=nodes_total)
    on_node = topology.pods if cluster is None else len(pods_with_addresses(node.name, cluster))
    statement = decide(Facts(finding=finding, blast=blast, pods_on_node=on_node))
    wide = spread(blast, nodes) if nodes else blast
    return Score(
        level=statement.level,
        number=_number(statement.level, blast),
        blast=wide,
        confidence=finding.confidence,
        onset=finding.onset,
        reversibility=finding.reversibility,
        why={
            "level": statement.words,
            "blast": wide.sentence,
            "confidence": _sure(finding),
            "onset": f"It bites {finding.onset.words}.",
            "reversibility": _back(finding),
        },
    )


def score_change(change: Change, scores: Sequence[Score], *, packets: Packets | None = None) -> Score:
    """The loudest of what was found about a change, or what silence about it means."""
    if scores:
        return max(scores, key=lambda score: (score.level, score.number, -score.onset))
    proven, because = SAID[packets] if packets is not None else _silence(change)
    level = Level.NONE if proven else Level.LOW
    return Score(
        level=level,
        number=BANDS[level][0],
        blast=BlastRadius(nodes=(change.node,), sentence=f"No traffic class of {change.node} is lost."),
        confidence=Confidence.PROVEN if proven else Confidence.LIKELY,
        onset=change.horizon,
        reversibility=Reversibility.FULL,
        why={
            "level": because,
            "blast": f"No traffic class of {change.node} is lost.",
            "confidence": _PROVEN if proven else _LIKELY,
            "onset": f"It shows {change.horizon.words}.",
            "reversibility": _FULL,
        },
    )


_PROVEN = "It follows from the recorded state and documented or measured kernel behaviour."
_LIKELY = "It needs something that the snapshot does not show and that usually holds."
_FULL = "The inverse change restores everything."


def _number(level: Level, blast: BlastRadius) -> float:
    """Place in the level's band: by counted pods (1,000 fill it), then by the number of traffic classes.

    An unknown count of pods that are hit stands where a full node of 110 (the kubelet's default) would; where it is not
    even decided that a class is hit, the number is the band's lowest.
    """
    low, high = BANDS[level]
    pods = blast.pods if blast.pods is not None else 110 if blast.traffic else 0
    place = 0.7 * min(1.0, log10(1 + pods) / 3) + 0.3 * len(blast.traffic) / len(TrafficClass)
    return round(low + (high - low) * place, 1)


def _silence(change: Change) -> tuple[bool, str]:
    """Whether no finding means proven harmless, and the sentence that says so."""
    if isinstance(change, FileChange) and change.equivalent:
        return True, "Its program reads both texts alike."
    if isinstance(change, FileChange) and _sets_single_keys(change):
        return True, "Each value that it changes, now or at the next boot, is a change of its own."
    if isinstance(change, SysctlChange) and not change.key.startswith("net."):
        return True, "The key is not one of the network's."
    if isinstance(change, SysctlChange) and change.key in CEILINGS and _raised(change):
        return True, "A limit is raised: what it let in before, it lets in still."
    return False, "No risk of the catalogue applies; that is not a proof that nothing happens."


def _sets_single_keys(change: FileChange) -> bool:
    """Whether it is a file of sysctl.d without patterns, which udev would apply to links that come later, too."""
    folder = posixpath.dirname(change.path)
    if change.path != LAST and not (folder in DIRECTORIES and change.path.endswith(".conf")):
        return False
    texts = (text for text in (change.before, change.after) if text is not None)
    lines = [line for text in texts for line in read_sysctl_file(text, path=change.path).lines]
    return not any(set("*?[") & set(line.key) for line in lines)


def _raised(change: SysctlChange) -> bool:
    before, after = number(change.before), number(change.after)
    return before is not None and after is not None and 0 <= before <= after


def _sure(finding: Finding) -> str:
    match finding.confidence:
        case Confidence.PROVEN:
            return _PROVEN
        case Confidence.LIKELY:
            return _LIKELY
        case Confidence.UNKNOWN:
            return f"It cannot be decided: {finding.unknown_because or 'the reason was not given'}."
        case _:
            assert_never(finding.confidence)


def _back(finding: Finding) -> str:
    if finding.undo:
        return finding.undo
    match finding.reversibility:
        case Reversibility.FULL:
            return _FULL
        case Reversibility.WITH_LOSS:
            return "The state returns; live connections, leases or caches do not."
        case Reversibility.NONE:
            return "The written undo does not reach everything that changed."
        case _:
            assert_never(finding.reversibility)

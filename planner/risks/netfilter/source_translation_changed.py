"""Packets get another source address on their way out than before.

## Why it matters

Order decides in POSTROUTING too. A masquerade in front of the exception for pod-to-pod traffic hides pods behind the
node's address, so NetworkPolicies and access lists stop to match. A rule that accepts in front of the masquerade leaves
pods' own addresses on packets whose answers then never return, and breaks pods that call themselves through a Service.

## When it bites

For new connections; live ones keep their translation.

## How to undo

Restore the former order.

## How to check

`iptables -t nat -S POSTROUTING`, and the source that a server outside sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.models.change import ChainChange, ChainPolicyChange, RuleChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.netfilter.condition import Field
from planner.risks.netfilter.lifelines import OUTSIDE, elsewhere, middle, pod_link
from planner.risks.netfilter.probe import Packet, Walk, all_hold
from planner.risks.netfilter.reading import read
from planner.risks.netfilter.translation import rewritten
from planner.risks.people import pods
from planner.risks.risk import Review, Risk

KUBE_MARK = 0x4000
"""kube-proxy's default masquerade bit (Kubernetes, pkg/proxy/apis/config, masqueradeBit 14)."""


@dataclass(frozen=True, slots=True)
class Way:
    """One packet that leaves, and what it means when its source is or is not rewritten any more."""

    packet: Packet
    words: str
    gained: tuple[TrafficClass, ...]
    lost: tuple[TrafficClass, ...]


def judge(change: RuleChange | ChainChange | ChainPolicyChange, review: Review) -> Iterator[Finding]:
    """The packets of pods to pods, to the outside and to Services, before and after."""
    if change.table != "nat":
        return
    for way in _ways(review, change.family):
        if (
            isinstance(change, RuleChange)
            and all_hold(read(change.rule, change.family).conditions, Walk(way.packet, None)) is False
        ):
            continue
        before, after = rewritten(review.before, way.packet), rewritten(review.after, way.packet)
        if before == after:
            continue
        if after is True and way.gained:
            yield Finding(
                risk=RISK.id,
                change=change,
                message=f"{change.node} now hides {way.words} behind its own address: policies and lists of pod addresses stop to match.",
                breaks=way.gained,
                extent=Extent.PARTIAL,
                side_effects=("source-ip-lost", "networkpolicy"),
                onset=change.horizon,
                remedy="Keep the exception for pod addresses in front of the masquerade.",
            )
        elif before is True and way.lost:
            yield Finding(
                risk=RISK.id,
                change=change,
                message=f"{change.node} no longer masquerades {way.words}: the answers do not find their way back.",
                breaks=way.lost,
                extent=Extent.PARTIAL,
                onset=change.horizon,
                confidence=Confidence.LIKELY if after is False else Confidence.UNKNOWN,
                unknown_because="" if after is False else "a rule on its way depends on what is not known",
                remedy="Keep the masquerade, and nothing in front of it that accepts.",
            )


def _ways(review: Review, family: str) -> Iterator[Way]:
    topology = review.topology
    mine, other = middle(topology.node_pod_ranges, family), elsewhere(review.before, topology, family)
    uplink = topology.uplinks[0] if topology.uplinks else ""
    inside = pod_link(topology)
    if mine is None:
        return
    tunnel = topology.overlay_links[0] if topology.overlay_links else uplink

    def packet(destination: int, out: str, mark: int) -> Packet:
        fields = {Field.PROTOCOL: 6, Field.SOURCE: mine, Field.DESTINATION: destination}
        return Packet("FORWARD", family, fields, inside, out, frozenset({"NEW"}), mark)

    if other is not None:
        yield Way(
            packet(other, tunnel, 0),
            f"{pods(review)} from pods on other nodes",
            (TrafficClass.POD_TO_POD_CROSS_NODE,),
            (),
        )
    yield Way(
        packet(OUTSIDE[family], uplink, 0),
        "packets of pods to the outside",
        (),
        (TrafficClass.POD_TO_EXTERNAL, TrafficClass.DNS),
    )
    yield Way(
        packet(mine, inside, KUBE_MARK),
        "packets of pods that reach themselves through a Service",
        (),
        (TrafficClass.POD_TO_SERVICE,),
    )


RISK = Risk[RuleChange | ChainChange | ChainPolicyChange](
    id="source-translation-changed",
    title="Packets leave with another source",
    on=(RuleChange, ChainChange, ChainPolicyChange),
    judge=judge,
    sources=(
        "Linux, net/netfilter/nf_nat_core.c, nf_nat_inet_fn; measured: RETURN and MASQUERADE in both orders",
        "Kubernetes, pkg/proxy/iptables/proxier.go, KUBE-POSTROUTING",
    ),
    verify="iptables -t nat -S POSTROUTING",
    once=True,
)

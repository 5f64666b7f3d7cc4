"""Nothing rewrites the source of pods' packets to the outside any more.

## Why it matters

Networks outside the cluster seldom know a route back to pod addresses. Without masquerade at the node the answers never
return, and pods reach nothing outside, name servers included.

## When it bites

For pods that start after the change; running pods keep the rules that were written for them.

## How to undo

Set `ipMasq` back and recreate the pods that started in between.

## How to check

`iptables -t nat -S POSTROUTING` shows who masquerades the pod range.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import network, subnet_env, tells
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether the plugin stops to masquerade and no other rule of the node does it for the whole range."""
    if not tells(change, review, "ipMasq"):
        return
    before, after = network(review.before), network(review.after)
    if before is None or after is None or not before.base.masquerade or after.base.masquerade:
        return
    ranges = after.base.ranges or review.topology.node_pod_ranges
    if subnet_env(review.after).get("FLANNEL_IPMASQ") == "true" or _masquerades(review.after):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"New pods on {change.node} leave with their own address{f' of {ranges[0]}' if ranges else ''}, which the "
            "outside does not know how to answer; no other rule of the node masquerades them."
        ),
        breaks=(TrafficClass.POD_TO_EXTERNAL, TrafficClass.DNS),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that started in between have to be recreated.",
        remedy="Keep ipMasq, or let one agent (ip-masq-agent, flannel, calico) do it before.",
    )


def _masquerades(state: NodeState) -> bool:
    """Whether a rule other than kube-proxy's marked one or a pod's own rewrites sources on the way out."""
    for rules in state.rulesets:
        table = rules.tables.get("nat")
        for chain, lines in (table.chains if table else {}).items():
            if chain.startswith(("KUBE-", "CNI-")):
                continue
            if any("-j MASQUERADE" in line or "-j SNAT" in line for line in lines):
                return True
    return False


RISK = Risk[DocumentChange | FileChange](
    id="cni-masquerade-off",
    title="Pods are no longer masqueraded",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=("containernetworking/plugins, plugins/main/bridge/bridge.go, SetupIPMasq",),
    verify="iptables -t nat -S POSTROUTING",
    once=True,
)

"""Agents' rules stand in the legacy and in the nft backend at once.

## Why it matters

Both rule sets are active in the kernel. A drop in either one wins, and translations that the abandoned backend still holds
send clients to pods that are long gone. Each tool shows a healthy half.

## When it bites

For new connections, and more with every change that only one half learns of.

## How to undo

Flush the tables of the backend that nobody uses any more, or reboot with one backend.

## How to check

`iptables-legacy-save | grep -c KUBE; iptables-nft-save | grep -c KUBE`.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, ChainEdit
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.netfilter.structure import owned
from planner.risks.risk import Review, Risk

KUBERNETES = frozenset(
    {"kube-proxy", "portmap", "cni-bridge", "calico", "cilium", "flannel", "weave", "kube-router"}
)


def judge(change: ChainChange, review: Review) -> Iterator[Finding]:
    """Whether both backends hold rules of Kubernetes' agents that did not before."""
    if change.edit is not ChainEdit.ADDED or owned(change.chain) not in KUBERNETES:
        return
    before, after = backends(review.before), backends(review.after)
    if len(after) < 2 or len(before) > 1:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Agents' rules now stand in both backends of {change.node}, {' and '.join(sorted(after))}: both act, a drop in either "
            "wins, and the one that is not kept up to date sends clients to dead pods."
        ),
        breaks=(TrafficClass.POD_TO_SERVICE, TrafficClass.EXTERNAL_TO_NODEPORT_LB, TrafficClass.DNS),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="The other backend has to be flushed, or the node rebooted.",
        remedy="Empty the former backend in the same step.",
    )


def backends(state: NodeState) -> frozenset[str]:
    """Backends that hold rules of Kubernetes' agents; canaries do not count."""
    return frozenset(
        rules.backend
        for rules in state.rulesets
        for table in rules.tables.values()
        for chain, texts in table.chains.items()
        if texts and owned(chain) in KUBERNETES
    )


RISK = Risk[ChainChange](
    id="backend-mix",
    title="Two packet filters at once",
    on=(ChainChange,),
    judge=judge,
    sources=(
        "Kubernetes, iptables backend detection (iptables-wrappers); measured: DROP in either backend wins",
    ),
    verify="iptables-legacy-save | grep -c KUBE; iptables-nft-save | grep -c KUBE",
    once=True,
)

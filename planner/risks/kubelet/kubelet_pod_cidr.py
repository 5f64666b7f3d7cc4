"""The kubelet's own pod range changes.

## Why it matters

`podCIDR` counts only for a kubelet without an API server; a cluster's kubelet takes the range from its Node object. On a
standalone node the range that kubenet gives to pods changes under a bridge that holds the old address.

## When it bites

When the kubelet restarts.

## How to undo

Set the former range and restart the kubelet.

## How to check

`kubectl get node -o jsonpath='{.items[*].spec.podCIDRs}'`.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.kubelet.settings import setting
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange, review: Review) -> Iterator[Finding]:
    """Whether the field is used at all, and whether it then agrees with the node's range."""
    values = setting(change, "podCIDR")
    if values is None:
        return
    after = str(values[1] or "")
    own = review.topology.node_pod_ranges
    if review.topology.api_servers or review.cluster is not None or after in own:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"podCIDR {after or 'unset'}: the kubelet on {change.node} takes its range from the API, the field is not used.",
            onset=change.horizon,
        )
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"New pods on {change.node} get addresses of {after or 'no range'} instead of {values[0]}.",
        breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that started in between have to be recreated.",
    )


RISK = Risk[DocumentChange](
    id="kubelet-pod-cidr",
    title="The kubelet's pod range changes",
    on=(DocumentChange,),
    judge=judge,
    sources=("Kubernetes, KubeletConfiguration v1beta1, podCIDR: used only in standalone mode",),
    verify="grep podCIDR /var/lib/kubelet/config.yaml",
)

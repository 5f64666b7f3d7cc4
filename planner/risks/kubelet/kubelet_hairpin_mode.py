"""The kubelet's hairpin mode changes.

## Why it matters

With the removed dockershim and kubenet the kubelet itself set hairpin on pods' ports; pods reached themselves through
their Service only with it. With a CNI plugin the field does nothing: the plugin's own setting counts.

## When it bites

For pods that start after the kubelet has restarted, and only on such old nodes.

## How to undo

Set the former mode, restart the kubelet, recreate the pods that started in between.

## How to check

`bridge -d link show` prints the mode of every port.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import network
from planner.risks.kubelet.settings import setting
from planner.risks.risk import Review, Risk

DEFAULT = "promiscuous-bridge"
"""KubeletConfiguration v1beta1, hairpinMode."""


def judge(change: DocumentChange, review: Review) -> Iterator[Finding]:
    """Whether kubenet's ports lose the mode, or a plugin decides and nothing happens."""
    values = setting(change, "hairpinMode")
    if values is None:
        return
    before, after = (DEFAULT if value is None else str(value) for value in values)
    if network(review.after) is not None:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"hairpinMode {after} instead of {before}: on {change.node} the CNI plugin decides, the field is not used.",
            onset=change.horizon,
        )
    elif after == "none":
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"New pods on {change.node} cannot reach themselves through their own Service.",
            breaks=(TrafficClass.POD_TO_SERVICE,),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            reversibility=Reversibility.WITH_LOSS,
            undo="Pods that started in between have to be recreated.",
        )


RISK = Risk[DocumentChange](
    id="kubelet-hairpin-mode",
    title="The kubelet's hairpin mode changes",
    on=(DocumentChange,),
    judge=judge,
    sources=("Kubernetes, KubeletConfiguration v1beta1, hairpinMode",),
    verify="bridge -d link show | grep hairpin",
)

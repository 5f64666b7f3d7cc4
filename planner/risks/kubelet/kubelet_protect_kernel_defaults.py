"""The kubelet is told to refuse kernel values that differ from what it wants.

## Why it matters

With `protectKernelDefaults` the kubelet does not set its sysctls, it exits when one of them differs. A node that never
had them fails at the next start of the kubelet.

## When it bites

When the kubelet restarts.

## How to undo

Set the field to false and start the kubelet.

## How to check

`sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops` against 1, 0, 10, 1.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.kubelet.settings import setting
from planner.risks.people import listed
from planner.risks.risk import Review, Risk

WANTED = {
    "kernel.keys.root_maxbytes": "25000000",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
}
"""Kubernetes, pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables."""


def judge(change: DocumentChange, review: Review) -> Iterator[Finding]:
    """Which of the wanted values differ on the node once the kubelet starts again."""
    values = setting(change, "protectKernelDefaults")
    if values is None or (values[1] is not True and values[1] != "true"):
        return
    running = review.after.sysctls
    wrong = [
        f"{key} is {running[key]}, not {value}"
        for key, value in WANTED.items()
        if running.get(key, value) != value
    ]
    missing = [key for key in WANTED if key not in running]
    if wrong:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"The kubelet on {change.node} does not start again: {listed(wrong)}.",
            breaks=(TrafficClass.NODE_TO_APISERVER, TrafficClass.KUBELET_PROBES),
            extent=Extent.TOTAL,
            side_effects=("pod-lifecycle",),
            onset=change.horizon,
            remedy="Set these sysctls first.",
        )
    elif missing:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"The kubelet on {change.node} starts only when {listed(missing)} have the values it wants.",
            extent=Extent.PARTIAL,
            onset=change.horizon,
            confidence=Confidence.UNKNOWN,
            unknown_because="the snapshot does not hold these sysctls",
        )


RISK = Risk[DocumentChange](
    id="kubelet-protect-kernel-defaults",
    title="The kubelet refuses the node's sysctls",
    on=(DocumentChange,),
    judge=judge,
    sources=("Kubernetes, pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables",),
    verify="sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops",
)

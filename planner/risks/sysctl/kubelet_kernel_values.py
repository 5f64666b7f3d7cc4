"""A value that the kubelet checks at its start is set to another one.

## Why it matters

The kubelet wants six values of vm.* and kernel.*. With protectKernelDefaults it exits when one differs; without, it
writes them itself, and the file's value does not last.

## When it bites

When the kubelet restarts.

## How to undo

Write the wanted value and start the kubelet.

## How to check

`sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops` against 1, 0, 10, 1.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.horizon import Horizon
from planner.models.traffic import TrafficClass
from planner.parse.kubelet import kubelet_config
from planner.risks.kubelet.kubelet_protect_kernel_defaults import WANTED
from planner.risks.risk import Review, Risk
from planner.sysctls.numbers import same_value


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Whether the kubelet will refuse, or will write its own value."""
    wanted = WANTED.get(change.key)
    if wanted is None or change.after is None or same_value(change.after, wanted):
        return
    config = kubelet_config(review.after.files)
    strict = config is not None and config.protect_kernel_defaults is True
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.key} is {change.after} on {change.node}, and the kubelet wants {wanted}: "
            + (
                "with protectKernelDefaults it does not start again."
                if strict
                else "it writes its own when it starts."
                if config is not None
                else "it writes its own when it starts or, with protectKernelDefaults, does not start."
            )
        ),
        breaks=(TrafficClass.NODE_TO_APISERVER, TrafficClass.KUBELET_PROBES) if strict else (),
        extent=Extent.TOTAL if strict else Extent.NONE,
        side_effects=("pod-lifecycle",) if strict else (),
        onset=max(change.horizon, Horizon.SERVICE_RESTART),
        confidence=Confidence.LIKELY if config is None else Confidence.PROVEN,
        remedy=f"Set {change.key} to {wanted}, or leave it out of the file.",
    )


RISK = Risk[SysctlChange](
    id="kubelet-kernel-values",
    title="A value that the kubelet checks is set to another one",
    on=(SysctlChange,),
    keys=tuple(sorted(WANTED)),
    judge=judge,
    sources=("Kubernetes, pkg/kubelet/cm/container_manager_linux.go setupKernelTunables()",),
    verify="sysctl " + " ".join(sorted(WANTED)),
)

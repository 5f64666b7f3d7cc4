"""A limit of the whole machine on files, watches or namespaces falls below what a node needs.

## Why it matters

Below the descriptor limit that services ask for they do not start; without inotify instances the kubelet, the runtime
and CoreDNS cannot watch files; without network namespaces no pod starts.

## When it bites

When a service, a container or a pod starts.

## How to undo

Write the old value back and restart what failed.

## How to check

`sysctl fs.nr_open fs.inotify.max_user_instances user.max_net_namespaces`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.horizon import Horizon
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk
from planner.sysctls.numbers import number

SERVICE_FILES = 1_048_576
"""LimitNOFILE of containerd and the kubelet in their packaged units."""
MANY_INSTANCES = 512


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:  # noqa: ARG001
    """Each limit against what services and pods ask for."""
    old, new = number(change.before), number(change.after)
    if old is None or new is None or new >= old:
        return
    match change.key:
        case "fs.nr_open" if new < SERVICE_FILES <= old:
            yield _starts(
                change,
                f"services that ask for {SERVICE_FILES:,} descriptors, and their containers, do not start",
            )
        case "user.max_net_namespaces" if new < 1024:
            yield _starts(
                change,
                "no network namespace can be made: new pods do not start"
                if new == 0
                else f"at most {new} pods fit",
            )
        case "fs.inotify.max_user_instances" if new < MANY_INSTANCES <= old:
            yield Finding(
                risk=RISK.id,
                change=change,
                message=(
                    f"At {new} inotify instances a user the kubelet, the runtime, log readers or CoreDNS on {change.node} may "
                    f"fail to watch files at their next start."
                ),
                breaks=(TrafficClass.DNS,),
                extent=Extent.PARTIAL,
                capacity=True,
                onset=max(change.horizon, Horizon.SERVICE_RESTART),
                confidence=Confidence.LIKELY,
            )
        case _:
            return


def _starts(change: SysctlChange, what: str) -> Finding:
    return Finding(
        risk=RISK.id,
        change=change,
        message=f"On {change.node} {what}.",
        side_effects=("pod-lifecycle",),
        onset=max(change.horizon, Horizon.NEW_PODS),
        confidence=Confidence.LIKELY,
        remedy="Leave the limit where it was.",
    )


RISK = Risk[SysctlChange](
    id="machine-limits",
    title="A limit of the machine falls below what a node needs",
    on=(SysctlChange,),
    keys=("fs.nr_open", "fs.inotify.max_user_instances", "user.max_net_namespaces"),
    judge=judge,
    sources=("Linux, fs/file.c, fs/notify/inotify/inotify_user.c, kernel/ucount.c",),
    verify="sysctl fs.nr_open fs.inotify.max_user_instances user.max_net_namespaces",
)

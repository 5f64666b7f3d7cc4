"""More pods are allowed than the node has addresses for.

## Why it matters

The scheduler places up to `maxPods` pods; each needs an address of the node's range. When the range runs out pods stay in
ContainerCreating. Cloud providers give half as many addresses again so that addresses of deleted pods can rest.

## When it bites

When the kubelet has restarted and the node fills up.

## How to undo

Set the former number and restart the kubelet.

## How to check

`kubectl get node -o jsonpath='{.items[*].status.capacity.pods}'` against the size of the node's range.
"""

from collections.abc import Iterator
from ipaddress import ip_network

from planner.models.change import DocumentChange
from planner.models.finding import Finding
from planner.risks.kubelet.settings import setting
from planner.risks.people import counted
from planner.risks.risk import Review, Risk

RESERVED = 3
"""Network, broadcast and gateway of an IPv4 range (host-local gives the others)."""


def judge(change: DocumentChange, review: Review) -> Iterator[Finding]:
    """The number of pods against the addresses, and against the pods that run."""
    values = setting(change, "maxPods")
    if values is None or not str(values[1]).isdigit():
        return
    allowed = int(str(values[1]))
    ranges = [ip_network(prefix) for prefix in review.topology.node_pod_ranges if ":" not in prefix]
    room = sum(max(prefix.num_addresses - RESERVED, 0) for prefix in ranges)
    running = review.topology.pods
    if ranges and allowed > room:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{change.node} may get {counted(allowed, 'pod')} and has room for {room}: "
                "the rest stays in ContainerCreating."
            ),
            capacity=True,
            onset=change.horizon,
            remedy=f"Stay at {room} or below, or give the node a larger range.",
        )
    elif running is not None and allowed < running:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{change.node} runs {counted(running, 'pod')} and may then have {allowed}: the kubelet refuses pods at its start.",
            side_effects=("pod-lifecycle",),
            onset=change.horizon,
            remedy="Drain the node first.",
        )


RISK = Risk[DocumentChange](
    id="kubelet-max-pods",
    title="More pods than addresses",
    on=(DocumentChange,),
    judge=judge,
    sources=("Kubernetes, KubeletConfiguration v1beta1, maxPods", "containernetworking/plugins, host-local"),
    verify="grep maxPods /var/lib/kubelet/config.yaml",
)

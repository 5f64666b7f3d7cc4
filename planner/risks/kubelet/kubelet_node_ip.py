"""The kubelet announces another address of the node.

## Why it matters

The API server, other nodes' tunnels and Services reach the node at the address that its kubelet announces. A CNI agent
reads it only when it starts, so the node's pods stay unreachable from others until it does; an address that the node
does not hold stops the kubelet's registration.

## When it bites

When the kubelet restarts.

## How to undo

Restore the former flag, restart the kubelet and the CNI agent.

## How to check

`kubectl get node -o wide`, column INTERNAL-IP.
"""

from collections.abc import Iterator
from re import compile as pattern

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.kubelet.settings import setting
from planner.risks.people import listed
from planner.risks.risk import Review, Risk

FLAG = pattern(r"--node-ip[= ]([0-9A-Fa-f:.,]+)")


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """The address that the flag or field names, against those that the node holds."""
    match change:
        case DocumentChange():
            values = setting(change, "nodeIP")
            if values is None:
                return
            before, after = (str(value or "") for value in values)
        case FileChange():
            before, after = _flag(change.before), _flag(change.after)
    if before == after or not after:
        return
    held = {address.address for link in review.after.links for address in link.addresses}
    foreign = [address for address in after.split(",") if address not in held]
    if foreign and held:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"The kubelet on {change.node} is to announce {listed(foreign)}, which no link of the node holds: it does not register.",
            breaks=(TrafficClass.NODE_TO_APISERVER, TrafficClass.KUBELET_PROBES),
            extent=Extent.TOTAL,
            onset=change.horizon,
            remedy="Name an address of the node.",
        )
        return
    current = {
        address
        for node in (review.cluster.nodes if review.cluster else ())
        if node.name == change.node
        for address in node.addresses
    }
    if before or (current and not set(after.split(",")) <= current):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"The kubelet on {change.node} announces {after} instead of {before or listed(list(current))}; other nodes "
                "reach its pods again only after its CNI agent has restarted too."
            ),
            breaks=(
                TrafficClass.POD_TO_POD_CROSS_NODE,
                TrafficClass.POD_TO_SERVICE,
                TrafficClass.KUBELET_PROBES,
            ),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            remedy="Drain the node, then restart the kubelet and the CNI agent together.",
        )


def _flag(text: str | None) -> str:
    found = FLAG.search(text or "")
    return found.group(1) if found else ""


RISK = Risk[DocumentChange | FileChange](
    id="kubelet-node-ip",
    title="The node announces another address",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "Kubernetes, pkg/kubelet/nodestatus/setters.go, NodeAddress",
        "Calico documentation, IP autodetection",
    ),
    verify="kubectl get node -o wide",
)

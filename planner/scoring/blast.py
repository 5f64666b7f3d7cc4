"""Blast radius: who is reached by a finding, counted from the cluster and the snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from planner.models.cluster import Cluster, Pod, Service
from planner.models.finding import Confidence, Extent, Finding
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.score import BlastRadius
from planner.models.topology import Topology
from planner.models.traffic import TrafficClass

POD_CLASSES = frozenset(
    {
        TrafficClass.POD_TO_POD_SAME_NODE,
        TrafficClass.POD_TO_POD_CROSS_NODE,
        TrafficClass.POD_TO_SERVICE,
        TrafficClass.POD_TO_EXTERNAL,
        TrafficClass.DNS,
        TrafficClass.KUBELET_PROBES,
    }
)
"""Classes that every pod with an address of its own uses."""
ENTRY_CLASSES = frozenset({TrafficClass.EXTERNAL_TO_NODEPORT_LB})
DNS_NAMES = frozenset({"kube-dns", "coredns", "rke2-coredns-rke2-coredns", "dns-default"})


def blast_radius(
    finding: Finding,
    *,
    node: NodeState,
    cluster: Cluster | None,
    topology: Topology,
    nodes_total: int,
) -> BlastRadius:
    """Pods, workloads, namespaces, Services and live flows that the finding reaches; None where it cannot be told."""
    if not finding.breaks and finding.pods is None:
        undecided = finding.confidence is Confidence.UNKNOWN
        return BlastRadius(
            nodes=(node.name,),
            nodes_total=nodes_total,
            pods=None if undecided else 0,
            sentence=f"Whom it reaches on {node.name} is not known."
            if undecided
            else f"No traffic class of {node.name} is lost.",
        )
    here = _reached_pods(finding.breaks, node.name, cluster)
    pods = finding.pods if finding.pods is not None else _count(finding.breaks, here, topology)
    listed = here if here is not None and pods == len(here) else ()
    services = _services(finding.breaks, node.name, cluster)
    flows = (
        node.volatile.conntrack.count
        if finding.extent is Extent.TOTAL and finding.onset is Horizon.NOW
        else None
    )
    radius = BlastRadius(
        traffic=tuple(sorted(finding.breaks)),
        nodes=(node.name,),
        nodes_total=nodes_total,
        pods=pods,
        workloads=tuple(sorted({f"{pod.namespace}/{pod.workload or pod.name}" for pod in listed})),
        namespaces=tuple(sorted({pod.namespace for pod in listed})),
        services=services,
        live_flows=flows,
    )
    return radius.model_copy(update={"sentence": _sentence(radius)})


def pods_with_addresses(node: str, cluster: Cluster) -> tuple[Pod, ...]:
    """Running pods of the node that do not use the host's network."""
    return tuple(
        pod
        for pod in _by_node(_Same(cluster)).get(node, ())
        if not pod.host_network and pod.phase in {"Running", "Pending"}
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A cluster compared by identity: hashing one with many pods costs more than the count that it saves."""

    cluster: Cluster

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.cluster is self.cluster

    def __hash__(self) -> int:
        return id(self.cluster)


@lru_cache(maxsize=2)
def _by_node(same: _Same) -> dict[str, tuple[Pod, ...]]:
    found: dict[str, list[Pod]] = {}
    for pod in same.cluster.pods:
        found.setdefault(pod.node, []).append(pod)
    return {node: tuple(pods) for node, pods in found.items()}


def _reached_pods(
    breaks: Sequence[TrafficClass], node: str, cluster: Cluster | None
) -> tuple[Pod, ...] | None:
    if cluster is None:
        return None
    pods = pods_with_addresses(node, cluster)
    if POD_CLASSES & set(breaks):
        return pods
    if TrafficClass.HOSTPORT in breaks:
        return tuple(pod for pod in _by_node(_Same(cluster)).get(node, ()) if pod.host_ports)
    return ()


def _count(breaks: Sequence[TrafficClass], here: tuple[Pod, ...] | None, topology: Topology) -> int | None:
    if here is not None:
        return len(here)
    if POD_CLASSES & set(breaks):
        return topology.pods
    if TrafficClass.HOSTPORT in breaks:
        return None if topology.host_ports else 0
    return 0


def _services(breaks: Sequence[TrafficClass], node: str, cluster: Cluster | None) -> tuple[str, ...]:
    if cluster is None:
        return ()
    return tuple(
        sorted(
            f"{service.namespace}/{service.name}"
            for service in cluster.services
            if _is_reached(service, frozenset(breaks), node)
        )
    )


def _is_reached(service: Service, breaks: frozenset[TrafficClass], node: str) -> bool:
    """Whether clients of this Service notice: those on the node, those outside, or those of its endpoints here."""
    if TrafficClass.POD_TO_SERVICE in breaks:
        return bool(service.endpoints)
    if TrafficClass.EXTERNAL_TO_NODEPORT_LB in breaks and any(port.node_port for port in service.ports):
        return True
    if TrafficClass.DNS in breaks and service.name in DNS_NAMES:
        return True
    if breaks & {TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.KUBELET_PROBES}:
        return any(endpoint.node == node for endpoint in service.endpoints)
    return False


def _sentence(radius: BlastRadius) -> str:
    named = radius.nodes[0] if len(radius.nodes) == 1 else f"{len(radius.nodes)} nodes like {radius.nodes[0]}"
    where = f"{named} ({len(radius.nodes)} of {radius.nodes_total} nodes)"
    each = " each" if len(radius.nodes) > 1 else ""
    parts = ["an unknown number of pods" if radius.pods is None else _plural(radius.pods, "pod") + each]
    if radius.workloads:
        parts.append(
            f"{_plural(len(radius.workloads), 'workload')} in {_plural(len(radius.namespaces), 'namespace')}"
        )
    if radius.services:
        parts.append(_plural(len(radius.services), "Service"))
    if radius.live_flows is not None:
        parts.append(f"{_plural(radius.live_flows, 'tracked connection')} now open")
    classes = ", ".join(radius.traffic) or "no traffic class"
    return f"{classes} on {where}: {', '.join(parts)}."


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def spread(radius: BlastRadius, nodes: tuple[str, ...]) -> BlastRadius:
    """The same radius on every node of a cohort; what was counted stays that of the node that stands for it."""
    wider = radius.model_copy(update={"nodes": nodes})
    return wider.model_copy(update={"sentence": _sentence(wider)}) if radius.traffic else wider

"""The range that new pods get addresses from overlaps with another network, or is not the one others route here.

## Why it matters

A pod range that covers the node's own subnet, another network's range or the service range takes traffic away from
them: the more specific or the connected route wins. A range outside what the cluster gave this node works on the node
and is unreachable from every other.

## When it bites

For pods that start after the change.

## How to undo

Restore the range, then recreate the pods that started in between.

## How to check

`ip route` beside the `subnet` lines of the configuration and the node's `spec.podCIDRs`.
"""

from collections.abc import Iterator
from ipaddress import ip_interface

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import Network, configurations, network, overlap, subnet_env, tells
from planner.risks.risk import Review, Risk

_CROSS, _SERVICE, _EXTERNAL = (
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
)


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Every overlap that the range had not before."""
    if not tells(change, review, "subnet", "ranges", "FLANNEL_SUBNET"):
        return
    known = set(_overlaps(review.before, review))
    for sentence, breaks in _overlaps(review.after, review):
        if (sentence, breaks) in known:
            continue
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"On {change.node} {sentence}.",
            breaks=breaks,
            extent=Extent.PARTIAL,
            onset=change.horizon,
            reversibility=Reversibility.WITH_LOSS,
            undo="Pods that got such an address have to be recreated.",
            remedy="Take the range from the node's podCIDR.",
        )


def _overlaps(state: NodeState, review: Review) -> Iterator[tuple[str, tuple[TrafficClass, ...]]]:
    found, topology = network(state), review.topology
    if found is None:
        return
    for prefix in found.base.ranges:
        for other in configurations(state):
            if (
                isinstance(other, Network)
                and other.path != found.path
                and other.base.bridge != found.base.bridge
            ):
                for theirs in other.base.ranges:
                    if overlap(prefix, theirs):
                        yield (
                            f"the pod range {prefix} overlaps with {theirs} of {other.path}",
                            (TrafficClass.POD_TO_POD_SAME_NODE, _CROSS),
                        )
        for link in state.links:
            if (
                link.name == found.base.bridge
                or link.name in topology.bridges
                or link.name in topology.overlay_links
            ):
                continue
            for address in link.addresses:
                if address.length < (128 if address.family == "ip6" else 32) and overlap(
                    prefix, address.prefix
                ):
                    yield (
                        f"the pod range {prefix} overlaps with the subnet {address.prefix} of {link.name}",
                        (_EXTERNAL, TrafficClass.HOST_EGRESS, TrafficClass.NODE_TO_APISERVER),
                    )
        for services in topology.service_ranges:
            if overlap(prefix, services):
                yield (
                    f"the pod range {prefix} overlaps with the service range {services}",
                    (_SERVICE, TrafficClass.DNS),
                )
        given = [own for own in _given(review) if (":" in own) == (":" in prefix)]
        if given and not any(overlap(prefix, own) for own in given):
            yield (
                f"new pods get addresses of {prefix} while the cluster routes {', '.join(given)} here",
                (_CROSS, _SERVICE, TrafficClass.DNS),
            )


def _given(review: Review) -> tuple[str, ...]:
    """What the cluster's Node object or flannel's lease says, not what the former configuration said."""
    lease = subnet_env(review.after).get("FLANNEL_SUBNET")
    nodes = review.cluster.nodes if review.cluster else ()
    ranges = [item for node in nodes if node.name == review.before.name for item in node.pod_cidrs]
    return tuple(ranges) or ((str(ip_interface(lease).network),) if lease else ())


RISK = Risk[DocumentChange | FileChange](
    id="cni-range-overlap",
    title="The pod range overlaps with another network",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "Kubernetes documentation, cluster networking: node, pod and service ranges must not overlap",
        "containernetworking/plugins, plugins/ipam/host-local",
    ),
    verify="ip route; grep -h subnet /etc/cni/net.d/*",
    once=True,
)

"""A node's traffic in ordered parts: what its packets are, as they enter it, and what of them really occurs."""

from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.topology import Topology
from planner.models.traffic import PacketBox, TrafficPart
from planner.topology.parts.arriving import arriving
from planner.topology.parts.odd import nobody, odd
from planner.topology.parts.own import own, to_itself
from planner.topology.parts.pods import frames, from_pods
from planner.topology.prefixes import merged, networks
from planner.topology.world import World

PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "0.0.0.0/8",
    "fc00::/7", "fe80::/10", "::1/128",
)  # fmt: skip
"""Nobody on the Internet has one of them (RFC 1918, 6598, 3927, 4193, 4291)."""


def parts_of(
    state: NodeState, topology: Topology, cluster: Cluster | None, *, ranges: tuple[str, ...] = ()
) -> tuple[TrafficPart, ...]:
    """In order: a packet belongs to the first part that holds it. `ranges` are pods' ranges that are told elsewhere."""
    world = World(state, topology, cluster, ranges)
    return (
        *to_itself(world),
        odd(world),
        *frames(world),
        *nobody(world),
        *own(world),
        *from_pods(world),
        *arriving(world),
    )


def near_of(state: NodeState, topology: Topology) -> tuple[PacketBox, ...]:
    """Whose new connections do not come from outside: private addresses, the cluster's, and the node's own networks."""
    held = [address.prefix for link in state.links for address in link.addresses]
    mine = (*topology.pod_ranges, *topology.node_pod_ranges, *topology.service_ranges, *held)
    inner = tuple(link.name for link in state.links if link.name not in topology.uplinks)
    boxes = (PacketBox(source=(*PRIVATE, *merged(networks(mine)))),)
    return (*boxes, PacketBox(links=inner)) if inner and topology.uplinks else boxes

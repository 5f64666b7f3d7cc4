"""The eleven classes of traffic that people name."""

from enum import StrEnum

from planner.models.noun import Noun


class TrafficClass(StrEnum):
    """Who talks to whom."""

    POD_TO_POD_SAME_NODE = "pod-to-pod-same-node"
    POD_TO_POD_CROSS_NODE = "pod-to-pod-cross-node"
    POD_TO_SERVICE = "pod-to-service"
    POD_TO_EXTERNAL = "pod-to-external"
    EXTERNAL_TO_NODEPORT_LB = "external-to-nodeport-lb"
    HOSTPORT = "hostport"
    DNS = "dns"
    NODE_TO_APISERVER = "node-to-apiserver"
    NODE_MANAGEMENT = "node-management"
    KUBELET_PROBES = "kubelet-probes"
    HOST_EGRESS = "host-egress"


CONTROL_PATHS = frozenset({TrafficClass.NODE_TO_APISERVER, TrafficClass.NODE_MANAGEMENT})


class PacketBox(Noun):
    """Packets as they enter a node. An empty field means any value; prefixes of both families may stand side by side."""

    links: tuple[str, ...] = ()
    """Links that they come by; `""` is the node itself."""
    source: tuple[str, ...] = ()
    """Prefixes."""
    destination: tuple[str, ...] = ()
    protocols: tuple[int, ...] = ()
    source_ports: tuple[tuple[int, int], ...] = ()
    """Lowest and highest."""
    destination_ports: tuple[tuple[int, int], ...] = ()
    states: tuple[str, ...] = ()
    """As conntrack calls them."""
    across: bool | None = None
    """Frames that cross a bridge from port to port, or packets for the node itself; None: both."""


class TrafficPart(Noun):
    """A part of a node's traffic that people have a name for. Parts stand in an order: a packet belongs to the first that holds it."""

    name: str
    words: str
    """Completes `no longer lets through …`."""
    traffic: TrafficClass | None = None
    """None: none of the eleven classes."""
    boxes: tuple[PacketBox, ...]
    without: tuple[PacketBox, ...] = ()
    """Not these of them."""
    used: tuple[PacketBox, ...] = ()
    """Those of them that really occur, as far as it is known: real pods, Services and ports. Witnesses are taken from here,
    and shares are of this; empty: of the whole part."""
    example: PacketBox | None = None
    """Who a witness should be, if it can."""
    served: bool = False
    """Arrives only because its destination is translated."""
    narrow: bool = False
    """Small enough to ask which of its packets passed before: shares are of those."""

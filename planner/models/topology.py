"""What kind of network a node has, as far as the snapshot tells."""

from enum import StrEnum

from planner.models.noun import Noun


class Overlay(StrEnum):
    """How pod packets cross between nodes."""

    FLANNEL_VXLAN = "flannel-vxlan"
    FLANNEL_UDP = "flannel-udp"
    FLANNEL_HOST_GW = "flannel-host-gw"
    CALICO_BGP = "calico-bgp"
    CALICO_IPIP = "calico-ipip"
    CALICO_VXLAN = "calico-vxlan"
    CILIUM = "cilium"
    WEAVE = "weave"
    ROMANA = "romana"
    KUBE_ROUTER = "kube-router"
    AWS_VPC = "aws-vpc"
    HOST_ROUTES = "host-routes"
    """Plain routes to other nodes' subnets that no known agent wrote (host-gw by hand, cloud route tables beside it)."""
    CLOUD_ROUTES = "cloud-routes"
    """A local pod bridge and no route to other pod subnets: the cloud's table carries them."""
    NONE = "none"
    """Pods use the host's network only, or there are none."""
    UNKNOWN = "unknown"


class PodAttachment(StrEnum):
    """How a pod's link meets the node."""

    BRIDGE = "bridge"
    ROUTED = "routed"
    """One host-side veth per pod with a route to it (calico, cilium without bpf host routing, aws)."""
    NONE = "none"
    UNKNOWN = "unknown"


class Owner(Noun):
    """An agent that writes rules, links or routes here."""

    name: str
    """kube-proxy, kubelet, flannel, calico, cilium, weave, docker, portmap, firewalld, ufw …"""
    rules: int = 0
    chains: int = 0


class Topology(Noun):
    """Derived from one NodeState (and the cluster, when known)."""

    node: str
    overlay: Overlay = Overlay.UNKNOWN
    attachment: PodAttachment = PodAttachment.UNKNOWN
    pod_ranges: tuple[str, ...] = ()
    """The cluster's pod range(s)."""
    node_pod_ranges: tuple[str, ...] = ()
    """This node's own."""
    service_ranges: tuple[str, ...] = ()
    service_addresses: int = 0
    """Distinct service addresses seen in kube-proxy's rules."""
    dns_service: tuple[str, ...] = ()
    api_servers: tuple[str, ...] = ()
    uplinks: tuple[str, ...] = ()
    """Links that carry a default route, then those towards other nodes."""
    overlay_links: tuple[str, ...] = ()
    encapsulation_overhead: int = 0
    """Octets that the overlay adds: vxlan 50, ipip 20 …"""
    bridges: tuple[str, ...] = ()
    pod_links: tuple[str, ...] = ()
    kube_proxy_mode: str = "unknown"
    """iptables, nftables, ipvs, none (replaced), unknown."""
    iptables_backends: tuple[str, ...] = ()
    """Backends that hold rules: ("nft",), ("legacy", "nft")."""
    node_port_range: tuple[int, int] = (30000, 32767)
    node_ports: tuple[int, ...] = ()
    host_ports: tuple[int, ...] = ()
    owners: tuple[Owner, ...] = ()
    pods: int | None = None
    """Running pods on this node: from the cluster, else pod links counted; None when neither is known."""
    clues: tuple[str, ...] = ()
    """Sentences that say what was concluded from what."""

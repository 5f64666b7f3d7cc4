"""The eleven classes of traffic that people name."""

from enum import StrEnum


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

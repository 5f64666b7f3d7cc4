"""What the cluster's API says: who may be hit."""

from planner.models.noun import Noun


class HostPort(Noun):
    """A port of the node that a pod claims."""

    protocol: str
    host_port: int
    container_port: int
    host_ip: str = ""


class Pod(Noun):
    """One pod, cut down to what the network needs."""

    namespace: str
    name: str
    node: str = ""
    addresses: tuple[str, ...] = ()
    host_network: bool = False
    host_ports: tuple[HostPort, ...] = ()
    workload: str = ""
    """Owner as `Deployment/web` where it can be told, else the direct owner."""
    labels: dict[str, str] = {}
    phase: str = "Running"
    priority_class: str = ""


class ServicePort(Noun):
    """One port of a Service."""

    name: str = ""
    protocol: str = "TCP"
    port: int
    target_port: str = ""
    node_port: int | None = None


class Endpoint(Noun):
    """One address behind a Service."""

    address: str
    node: str = ""
    ready: bool = True


class Service(Noun):
    """One Service with its endpoints."""

    namespace: str
    name: str
    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    external_traffic_policy: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    selector: dict[str, str] = {}


class ClusterNode(Noun):
    """A node as the API shows it."""

    name: str
    addresses: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    ready: bool = True
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    """Only those that networks write (flannel, calico, cilium)."""
    kubelet_version: str = ""


class Cluster(Noun):
    """The objects of one cluster."""

    name: str = ""
    nodes: tuple[ClusterNode, ...] = ()
    pods: tuple[Pod, ...] = ()
    services: tuple[Service, ...] = ()
    namespaces: tuple[str, ...] = ()
    config_maps: dict[str, dict[str, str]] = {}
    """`kube-system/kube-proxy` to its data, by allow-list."""

"""One API object, as `kubectl -o json` writes it, to one of our nouns: what the network does not need is left behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from sys import intern
from typing import Any

from planner.models.cluster import ClusterNode, Endpoint, HostPort, Service, ServicePort

Item = dict[str, Any]

CONFIG_MAPS: dict[str, tuple[str, ...]] = {
    "kube-proxy": ("config.conf", "config.yaml"),
    "kube-proxy-config": ("config.conf", "config.yaml"),
    "coredns": ("Corefile",),
    "kube-dns": ("stubDomains", "upstreamNameservers", "federations"),
    "node-local-dns": ("Corefile",),
    "kubelet-config*": ("kubelet",),
    "kubeadm-config": ("ClusterConfiguration", "MasterConfiguration"),
    "kube-flannel-cfg": ("net-conf.json", "cni-conf.json"),
    "canal-config": (
        "net-conf.json",
        "cni_network_config",
        "canal_iface",
        "masquerade",
        "veth_mtu",
        "typha_service_name",
    ),
    "calico-config": ("cni_network_config", "veth_mtu", "calico_backend", "typha_service_name"),
    "cilium-config": ("*",),
    "weave-net": ("*",),
    "kube-router-cfg": ("cni-conf.json",),
    "amazon-vpc-cni": ("*",),
    "ip-masq-agent": ("config",),
    "antrea-config*": ("antrea-agent.conf", "antrea-cni.conflist"),
}
"""Allow-list: config map to the keys of its data. kubeconfigs beside them hold credentials and stay out."""

SECRETIVE = ("password", "secret", "token", "private", "kubeconfig", "etcd-config")
"""Keys of flat maps that are left out all the same."""


class UnreadableError(ValueError):
    """An object that lacks what makes it one."""


@dataclass(frozen=True, slots=True)
class RawPod:
    """A pod before its owner is looked up: a ReplicaSet may be read after it."""

    namespace: str
    name: str
    node: str
    addresses: tuple[str, ...]
    host_network: bool
    host_ports: tuple[HostPort, ...]
    owner: tuple[str, str]
    """Kind and name; empty for none."""
    template_hash: str
    labels: dict[str, str]
    phase: str
    priority_class: str


def mapping(value: object) -> Item:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The value when it is a list, else an empty one: Go writes null for an empty list."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Strings as they are, numbers as text (YAML reads an unquoted label `1` as a number)."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""


def number(value: object) -> int | None:
    """A whole number, also as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def strings(value: object) -> dict[str, str]:
    """An object of strings, keys sorted and interned: the same few return on every pod."""
    return {intern(text(key)): intern(text(entry)) for key, entry in sorted(mapping(value).items(), key=_key)}


def identity(item: Item) -> tuple[str, str]:
    """Namespace and name."""
    metadata = mapping(item.get("metadata"))
    name = text(metadata.get("name"))
    if not name:
        raise UnreadableError("metadata.name is missing")
    return intern(text(metadata.get("namespace"))), name


def controller(item: Item) -> tuple[str, str]:
    """Kind and name of the owner that controls it; two empty strings for none."""
    owners = [mapping(owner) for owner in sequence(mapping(item.get("metadata")).get("ownerReferences"))]
    for owner in [owner for owner in owners if owner.get("controller") is True] or owners[:1]:
        return intern(text(owner.get("kind"))), intern(text(owner.get("name")))
    return "", ""


def pod(item: Item) -> RawPod:
    """A pod of any phase."""
    namespace, name = identity(item)
    spec, status = mapping(item.get("spec")), mapping(item.get("status"))
    labels = strings(mapping(item.get("metadata")).get("labels"))
    addresses = [text(mapping(entry).get("ip")) for entry in sequence(status.get("podIPs"))]
    return RawPod(
        namespace=namespace,
        name=name,
        node=intern(text(spec.get("nodeName"))),
        addresses=_unique([*addresses, text(status.get("podIP"))]),
        host_network=spec.get("hostNetwork") is True,
        host_ports=tuple(_host_ports(spec)),
        owner=controller(item),
        template_hash=labels.get("pod-template-hash", ""),
        labels=labels,
        phase=intern(text(status.get("phase")) or "Unknown"),
        priority_class=intern(text(spec.get("priorityClassName"))),
    )


def _host_ports(spec: Item) -> Iterator[HostPort]:
    for containers in ("initContainers", "containers"):
        for container in sequence(spec.get(containers)):
            for entry in sequence(mapping(container).get("ports")):
                port = mapping(entry)
                host_port = number(port.get("hostPort"))
                if host_port:
                    yield HostPort(
                        protocol=text(port.get("protocol")) or "TCP",
                        host_port=host_port,
                        container_port=number(port.get("containerPort")) or 0,
                        host_ip=text(port.get("hostIP")),
                    )


def node(item: Item) -> ClusterNode:
    """A node."""
    _, name = identity(item)
    metadata, spec, status = (
        mapping(item.get("metadata")),
        mapping(item.get("spec")),
        mapping(item.get("status")),
    )
    addresses = [mapping(entry) for entry in sequence(status.get("addresses"))]
    ranges = [text(entry) for entry in sequence(spec.get("podCIDRs"))]
    conditions = [mapping(entry) for entry in sequence(status.get("conditions"))]
    ready = [text(entry.get("status")) for entry in conditions if entry.get("type") == "Ready"]
    return ClusterNode(
        name=name,
        addresses=_unique(
            text(a.get("address")) for a in addresses if a.get("type") in ("InternalIP", "ExternalIP")
        ),
        pod_cidrs=_unique([*ranges, text(spec.get("podCIDR"))]),
        ready=ready == ["True"] if ready else True,
        labels=strings(metadata.get("labels")),
        annotations={
            key: entry
            for key, entry in strings(metadata.get("annotations")).items()
            if _network_annotation(key)
        },
        kubelet_version=text(mapping(status.get("nodeInfo")).get("kubeletVersion")),
    )


def _network_annotation(key: str) -> bool:
    prefix = key.split("/", 1)[0]
    return (
        prefix.startswith("flannel.")
        or prefix.endswith(("projectcalico.org", "cilium.io", "kube-router.io"))
        or "io.cilium." in key
    )


def service(item: Item) -> Service:
    """A Service, as yet without endpoints."""
    namespace, name = identity(item)
    spec = mapping(item.get("spec"))
    addresses = [text(entry) for entry in sequence(spec.get("clusterIPs"))]
    return Service(
        namespace=namespace,
        name=name,
        type=text(spec.get("type")) or "ClusterIP",
        cluster_ips=tuple(a for a in _unique([*addresses, text(spec.get("clusterIP"))]) if a != "None"),
        ports=tuple(_service_ports(spec)),
        external_traffic_policy=text(spec.get("externalTrafficPolicy")),
        selector=strings(spec.get("selector")),
    )


def _service_ports(spec: Item) -> Iterator[ServicePort]:
    for entry in sequence(spec.get("ports")):
        port = mapping(entry)
        own = number(port.get("port"))
        if own is not None:
            yield ServicePort(
                name=text(port.get("name")),
                protocol=text(port.get("protocol")) or "TCP",
                port=own,
                target_port=text(port.get("targetPort")),
                node_port=number(port.get("nodePort")) or None,
            )


def slice_endpoints(item: Item) -> tuple[tuple[str, str], tuple[Endpoint, ...]]:
    """(namespace, Service) and the endpoints of one EndpointSlice, v1 or v1beta1."""
    namespace, _ = identity(item)
    owner = text(mapping(mapping(item.get("metadata")).get("labels")).get("kubernetes.io/service-name"))
    found: list[Endpoint] = []
    for raw in sequence(item.get("endpoints")):
        entry = mapping(raw)
        # v1 has nodeName; v1beta1 had the node in its topology (API reference, EndpointSlice v1beta1).
        host = text(entry.get("nodeName")) or text(
            mapping(entry.get("topology")).get("kubernetes.io/hostname")
        )
        # An absent `ready` has to be read as true (API reference, EndpointConditions).
        ready = mapping(entry.get("conditions")).get("ready") is not False
        found += [Endpoint(address=text(a), node=host, ready=ready) for a in sequence(entry.get("addresses"))]
    return (namespace, owner), tuple(found)


def endpoints(item: Item) -> tuple[tuple[str, str], tuple[Endpoint, ...]]:
    """(namespace, Service) and the addresses of one Endpoints object."""
    found = [
        Endpoint(address=text(entry.get("ip")), node=text(entry.get("nodeName")), ready=ready)
        for subset in map(mapping, sequence(item.get("subsets")))
        for field, ready in (("addresses", True), ("notReadyAddresses", False))
        for entry in map(mapping, sequence(subset.get(field)))
    ]
    return identity(item), tuple(found)


def config_map(item: Item) -> tuple[str, dict[str, str]] | None:
    """`namespace/name` and the allowed part of its data; None when it is none of ours."""
    namespace, name = identity(item)
    allowed = next((keys for pattern, keys in CONFIG_MAPS.items() if fnmatchcase(name, pattern)), None)
    if allowed is None:
        return None
    data = strings(item.get("data"))
    return f"{namespace}/{name}", {key: entry for key, entry in data.items() if _allowed(key, allowed)}


def _allowed(key: str, allowed: tuple[str, ...]) -> bool:
    if allowed == ("*",):
        return not any(word in key.lower() for word in SECRETIVE)
    return key in allowed


def _unique(values: Iterator[str] | list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _key(entry: tuple[object, object]) -> str:
    return text(entry[0])

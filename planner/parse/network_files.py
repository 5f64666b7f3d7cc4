"""Files and config maps that say how the network was set up, cut down to the few values that decide."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from planner.errors import NetchangeError
from planner.models.cluster import Cluster
from planner.models.node import ConfigFile, NodeState
from planner.parse.cni import CniPlugin, active_cni
from planner.parse.documents import Value, as_object, load_json, load_yaml
from planner.parse.subnet_env import load_subnet_env

CNI_DIRECTORIES = ("/etc/cni/net.d", "/etc/kubernetes/cni/net.d", "/var/lib/rancher/k3s/agent/etc/cni/net.d")
"""The usual one, container-optimised systems that cannot write to it, and k3s."""


@dataclass(frozen=True, slots=True)
class CniFacts:
    """What the CNI network that new pods get says of links and addresses."""

    path: str
    types: tuple[str, ...]
    """Plugins in their order: `("flannel", "portmap")`."""
    mtu: int | None
    """MTU that the file asks for."""
    bridge: str
    subnets: tuple[str, ...]
    """Prefixes of host-local IPAM."""


@dataclass(frozen=True, slots=True)
class FlannelNetwork:
    """What net-conf.json says."""

    networks: tuple[str, ...]
    backend: str


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """The KubeProxyConfiguration, as far as it decides here."""

    mode: str
    cluster_ranges: tuple[str, ...]
    max_per_core: int | None
    """`conntrack.maxPerCore`; None when the file does not say."""
    minimum: int | None


@dataclass(frozen=True, slots=True)
class KubeadmConfig:
    """Kubeadm's ClusterConfiguration, as far as it decides here."""

    pod_ranges: tuple[str, ...]
    service_ranges: tuple[str, ...]
    node_port_range: str


def cni_facts(files: Mapping[str, ConfigFile]) -> CniFacts | None:
    """Of the first directory that holds a usable network; None when there is none."""
    network = next((n for d in CNI_DIRECTORIES if (n := active_cni(files, directory=d)) is not None), None)
    if network is None:
        return None
    return CniFacts(
        path=network.path,
        types=tuple(plugin.type for plugin in network.plugins),
        mtu=next((mtu for plugin in network.plugins for mtu in _mtus(plugin)), None),
        bridge=next((b for p in network.plugins if isinstance(b := p.options.get("bridge"), str)), ""),
        subnets=tuple(subnet for plugin in network.plugins for subnet in _subnets(plugin)),
    )


def _mtus(plugin: CniPlugin) -> Iterator[int]:
    """Of the plugin itself, or of what the flannel plugin delegates to."""
    for holder in (plugin.options, as_object(plugin.options.get("delegate"))):
        value = holder.get("mtu")
        if isinstance(value, int) and value > 0:
            yield value


def _subnets(plugin: CniPlugin) -> Iterator[str]:
    """Old and new form of host-local (CNI plugins, plugins/ipam/host-local)."""
    ipam = as_object(plugin.options.get("ipam"))
    groups = ipam.get("ranges")
    entries = [ipam] + [as_object(entry) for group in _list(groups) for entry in _list(group)]
    for entry in entries:
        subnet = entry.get("subnet")
        if isinstance(subnet, str):
            yield subnet


def flannel_ranges(files: Mapping[str, ConfigFile]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The cluster's and the node's ranges of subnet.env; None when flannel wrote none."""
    env = load_subnet_env(files)
    if env is None:
        return None
    wide = tuple(part for text in (env.network, env.network6) for part in text.split(",") if part)
    return wide, tuple(text for text in (env.subnet, env.subnet6) if text)


def component_options(node: NodeState, component: str) -> dict[str, str]:
    """Options of a static pod's command line: `{"service-cluster-ip-range": "10.96.0.0/12"}`.

    The collector takes the few that matter, a tree of files may hold the whole manifest.
    """
    file = node.files.get(f"/etc/kubernetes/manifests/{component}.yaml")
    text = file.text if file is not None else node.volatile.extra.get(f"flags/{component}", "")
    options: dict[str, str] = {}
    for line in text.splitlines():
        word = line.strip().removeprefix("- ").strip("\"'")
        if word.startswith("--"):
            key, _, value = word[2:].partition("=")
            options[key] = value
    return options


def config_map(cluster: Cluster | None, name: str) -> dict[str, str]:
    """Data of the config map of that name in whatever namespace; empty when there is none."""
    if cluster is None:
        return {}
    return next(
        (cluster.config_maps[k] for k in sorted(cluster.config_maps) if k.rpartition("/")[2] == name), {}
    )


def flannel_network(cluster: Cluster | None) -> FlannelNetwork | None:
    """What flannel was told (flannel, Documentation/configuration.md); None when not known."""
    for name in ("kube-flannel-cfg", "canal-config"):
        document = _json(config_map(cluster, name).get("net-conf.json", ""))
        backend = document.get("Backend")
        if document:
            return FlannelNetwork(
                networks=tuple(
                    n for key in ("Network", "IPv6Network") if isinstance(n := document.get(key), str)
                ),
                # flannel falls back to udp when no backend is named (flannel, Documentation/configuration.md).
                backend=str(backend.get("Type", "udp")) if isinstance(backend, dict) else "udp",
            )
    return None


PROXY_FILES = (
    "/var/lib/kube-proxy/config.conf",
    "/var/lib/kube-proxy/kube-proxy-config.yaml",
    "/etc/kubernetes/kube-proxy-config.yaml",
)


def proxy_config(files: Mapping[str, ConfigFile], cluster: Cluster | None) -> ProxyConfig | None:
    """The configuration of kube-proxy, of the node's own file before the config map; None when not known."""
    data = config_map(cluster, "kube-proxy") or config_map(cluster, "kube-proxy-config")
    local = next((files[path].text for path in PROXY_FILES if path in files), "")
    document = _yaml(local or data.get("config.conf") or data.get("config.yaml") or "")
    if not document:
        return None
    conntrack = as_object(document.get("conntrack"))
    return ProxyConfig(
        mode=str(document.get("mode") or ""),
        cluster_ranges=_ranges(document.get("clusterCIDR")),
        max_per_core=_number(conntrack.get("maxPerCore")),
        minimum=_number(conntrack.get("min")),
    )


def kubeadm_config(cluster: Cluster | None) -> KubeadmConfig | None:
    """What kubeadm was told; None when not known."""
    data = config_map(cluster, "kubeadm-config")
    document = _yaml(data.get("ClusterConfiguration") or data.get("MasterConfiguration") or "")
    if not document:
        return None
    networking = as_object(document.get("networking"))
    # kubeadm's v1beta4 lists arguments by name, older versions map them (kubeadm, apis/kubeadm).
    server = as_object(document.get("apiServer")).get("extraArgs") or document.get("apiServerExtraArgs")
    listed = {str(a.get("name")): a.get("value") for a in map(as_object, _list(server))}
    arguments = as_object(server) or listed
    return KubeadmConfig(
        pod_ranges=_ranges(networking.get("podSubnet")),
        service_ranges=_ranges(networking.get("serviceSubnet")),
        node_port_range=str(arguments.get("service-node-port-range") or ""),
    )


def _ranges(value: Value) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else ()


def _number(value: Value) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _json(text: str) -> dict[str, Value]:
    try:
        return as_object(load_json(text, name="config map").value) if text else {}
    except NetchangeError:
        return {}


def _yaml(text: str) -> dict[str, Value]:
    """The first document; what cannot be read says nothing, and whoever reviews the file itself tells why."""
    try:
        documents = load_yaml(text, name="config map") if text else ()
    except NetchangeError:
        return {}
    return as_object(documents[0].value) if documents else {}

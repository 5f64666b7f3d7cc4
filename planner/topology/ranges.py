"""Which addresses belong to pods, to this node's pods and to Services, and who says so."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.parse.network_files import (
    CniFacts,
    component_options,
    config_map,
    flannel_network,
    flannel_ranges,
    kubeadm_config,
    proxy_config,
)
from planner.topology.attachment import POD_BRIDGES
from planner.topology.owners import after
from planner.topology.prefixes import Address, address, cover, inside, merged, network, networks
from planner.topology.services import ServiceRules

USUAL_SERVICE_RANGES = (
    "10.96.0.0/12",
    "10.43.0.0/16",
    "10.100.0.0/16",
    "172.20.0.0/16",
    "172.30.0.0/16",
    "10.152.183.0/24",
    "10.233.0.0/18",
    "100.64.0.0/13",
    "10.0.0.0/16",
    "10.32.0.0/24",
)
"""Of kubeadm, k3s and RKE2, EKS (two), OpenShift, MicroK8s, kubespray, kops, AKS, and hand-made clusters."""

OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
DOTTED = re.compile(rf"(?:{OCTET}\.){{3}}{OCTET}")
"""An address of IPv4 as it is printed."""

Said = tuple[str, str]
"""A prefix, and who says so."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """What was found, each with the sentence that says from what."""

    prefixes: tuple[str, ...]
    clues: tuple[str, ...] = ()


def node_pod_ranges(node: NodeState, cluster: Cluster | None, cni: CniFacts | None) -> Ranges:
    """Those of the pods on this node."""
    said: list[Said] = []
    flannel = flannel_ranges(node.files)
    said += [(prefix, "subnet.env") for prefix in (flannel[1] if flannel is not None else ())]
    if cluster is not None:
        own = [n for n in cluster.nodes if n.name == node.name]
        said += [(cidr, "the node's podCIDRs") for entry in own for cidr in entry.pod_cidrs]
    if cni is not None:
        said += [(subnet, cni.path) for subnet in cni.subnets]
    for link in node.links:
        if link.name in POD_BRIDGES or (cni is not None and cni.bridge and cni.bridge == link.name):
            said += [(a.prefix, f"the address of {link.name}") for a in link.addresses if a.scope == "global"]
    # Calico drops what nobody in its own blocks answers with a blackhole route (projectcalico/calico, confd templates).
    said += [
        (route.prefix, f"the {route.type} route of {route.protocol}")
        for route in node.routes
        if route.type in ("blackhole", "unreachable") and route.protocol in ("bird", "12", "80")
    ]
    return _ranges(said, "this node's pods")


def pod_ranges(node: NodeState, cluster: Cluster | None, rules: ServiceRules, own: tuple[str, ...]) -> Ranges:
    """The cluster's pods: who says it for the whole, else all nodes' ranges, else this node's own."""
    said = [(prefix, who) for prefix, who in _pods_said(node, cluster, rules) if network(prefix) is not None]
    wide = [(prefix, who) for prefix, who in said if not (inside(prefix, own) and not _is(prefix, own))]
    if not wide and cluster is not None:
        wide = [(cidr, "the nodes' podCIDRs") for entry in cluster.nodes for cidr in entry.pod_cidrs]
    if not wide:
        wide = [(prefix, "this node's own range") for prefix in own]
    return _ranges(wide, "pods")


def _pods_said(node: NodeState, cluster: Cluster | None, rules: ServiceRules) -> Iterator[Said]:
    flannel = flannel_ranges(node.files)
    for prefix in flannel[0] if flannel is not None else ():
        yield prefix, "subnet.env"
    told = flannel_network(cluster)
    for prefix in told.networks if told is not None else ():
        yield prefix, "kube-flannel-cfg"
    proxy = proxy_config(node.files, cluster)
    for prefix in proxy.cluster_ranges if proxy is not None else ():
        yield prefix, "kube-proxy's clusterCIDR"
    kubeadm = kubeadm_config(cluster)
    for prefix in kubeadm.pod_ranges if kubeadm is not None else ():
        yield prefix, "kubeadm's podSubnet"
    for component in ("kube-controller-manager", "kube-proxy"):
        for prefix in component_options(node, component).get("cluster-cidr", "").split(","):
            yield prefix, f"{component}'s --cluster-cidr"
    cilium = config_map(cluster, "cilium-config")
    for key in ("cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr"):
        for prefix in cilium.get(key, "").replace(",", " ").split():
            yield prefix, "cilium-config"
    for prefix in sorted(rules.pod_ranges):
        yield prefix, "kube-proxy's rules, which spare it from masquerading"
    for ipset in node.ipsets:
        if ipset.name in ("cali40all-ipam-pools", "cali60all-ipam-pools"):
            for element in ipset.elements:
                yield element.split(" ", 1)[0], f"calico's ipset {ipset.name}"
    for ruleset in node.rulesets:
        nat = ruleset.tables.get("nat")
        for rule in nat.chains.get("WEAVE", ()) if nat is not None else ():
            if " ! -d " in f" {rule}" and not rule.startswith("!"):
                yield after(rule, " -s "), "weave's rules"
        for rule in nat.chains.get("FLANNEL-POSTRTG", ()) if nat is not None else ():
            # `! -d 224.0.0.0/4` is what flannel masquerades the whole range with (flannel, pkg/trafficmngr/iptables).
            if rule.startswith("-s ") and "! -d 224.0.0.0/4 " in rule:
                yield after(rule, " -s "), "flannel's rules"


def service_ranges(node: NodeState, cluster: Cluster | None, rules: ServiceRules) -> Ranges:
    """From the API server's options where they are known, else estimated from the addresses in use."""
    said: list[Said] = [
        (prefix, "kube-apiserver's --service-cluster-ip-range")
        for prefix in component_options(node, "kube-apiserver").get("service-cluster-ip-range", "").split(",")
    ]
    kubeadm = kubeadm_config(cluster)
    said += [
        (prefix, "kubeadm's serviceSubnet")
        for prefix in (kubeadm.service_ranges if kubeadm is not None else ())
    ]
    known = _ranges(said, "Services")
    if known.prefixes:
        return known
    texts = set(rules.cluster_addresses)
    first = set(rules.api_service)
    for service in cluster.services if cluster is not None else ():
        texts.update(service.cluster_ips)
        if (service.namespace, service.name) == ("default", "kubernetes"):
            first.update(service.cluster_ips)
    return _estimated(frozenset(texts), frozenset(first))


@lru_cache(maxsize=8)
def _estimated(texts: frozenset[str], first: frozenset[str]) -> Ranges:
    """From the addresses in use, and those of the API server's own Service."""
    found: dict[int, list[int]] = {4: [], 6: []}
    for text in texts:
        # There are tens of thousands, nearly all in the form that iptables prints.
        if DOTTED.fullmatch(text):
            found[4].append(int.from_bytes(bytes(map(int, text.split(".")))))
        elif (parsed := address(text)) is not None:
            found[parsed.version].append(int(parsed))
    estimates = []
    for version, numbers in found.items():
        lowest = next(
            (a for text in sorted(first) if (a := address(text)) is not None and a.version == version), None
        )
        if numbers:
            make: type[Address] = IPv4Address if version == 4 else IPv6Address
            estimates.append(_estimate(make(min(numbers)), make(max(numbers)), len(numbers), lowest))
    clues = tuple(f"the service range {prefix} is estimated: {why}" for prefix, why in estimates)
    return Ranges(tuple(prefix for prefix, _ in estimates), clues)


def _estimate(low: Address, high: Address, count: int, api: Address | None) -> Said:
    """The API server's own Service has the first address of the range (kubernetes, pkg/controlplane ServiceIPRange)."""
    for usual in USUAL_SERVICE_RANGES:
        prefix = network(usual)
        if prefix is not None and api is not None and prefix[1] == api and low in prefix and high in prefix:
            return (
                usual,
                f"{count:,} service addresses, the first being {api}, lie in this usual range",
            )
    base = None
    if api is not None and int(low) >= int(api):
        base = type(api)(int(api) - 1)
    estimate = cover((low, high), first=base)
    return str(estimate), f"the smallest that holds the {count:,} service addresses seen"


def _is(prefix: str, own: tuple[str, ...]) -> bool:
    parsed = network(prefix)
    return parsed is not None and any(parsed == other for other in networks(own))


def _ranges(said: list[Said], whose: str) -> Ranges:
    usable = [(parsed, who) for prefix, who in said if (parsed := network(prefix)) is not None]
    prefixes = merged(parsed for parsed, _ in usable)
    sayers = tuple(dict.fromkeys(who for _, who in usable))
    if not prefixes:
        return Ranges(())
    shown = ", ".join(prefixes[:3]) + (f" and {len(prefixes) - 3} more" if len(prefixes) > 3 else "")
    return Ranges(prefixes, (f"{whose} are in {shown}, says {' and '.join(sayers)}",))

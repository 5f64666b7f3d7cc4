"""What network a node has, put together from the answers to single questions, each with what it was concluded from."""

from planner.models.cluster import Cluster
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.route import MAIN
from planner.models.topology import PodAttachment, Topology
from planner.parse.kubelet import kubelet_config
from planner.parse.network_files import (
    cni_facts,
    component_options,
    kubeadm_config,
    proxy_config,
)
from planner.topology.attachment import attachment_of
from planner.topology.overlay import crossing_of
from planner.topology.owners import count_owners
from planner.topology.prefixes import inside, network
from planner.topology.ranges import node_pod_ranges, pod_ranges, service_ranges
from planner.topology.services import ServiceRules, mode_of, service_rules

NODE_PORTS = (30000, 32767)
"""Unless the API server is told otherwise (kubernetes, pkg/kubeapiserver/options DefaultServiceNodePortRange)."""


def derive_topology(node: NodeState, cluster: Cluster | None = None) -> Topology:
    """All answers for one node. What cannot be told stays empty or unknown, and a clue says so."""
    rules = service_rules(node)
    cni = cni_facts(node.files)
    own = node_pod_ranges(node, cluster, cni)
    pods = pod_ranges(node, cluster, rules, own.prefixes)
    services = service_ranges(node, cluster, rules)
    attachment = attachment_of(node, cni, own.prefixes)
    owners = count_owners(node.rulesets)
    crossing = crossing_of(
        node,
        cluster,
        cni=cni,
        attachment=attachment,
        owners=frozenset(owner.name for owner in owners if owner.rules or owner.chains),
        pod_ranges=pods.prefixes,
        own_ranges=own.prefixes,
    )
    mode, mode_clue = _mode(node, cluster, rules)
    dns, dns_clue = _dns(node, cluster, rules)
    ports, ports_clue = _node_port_range(node, cluster)
    count, count_clue = _pods(node, cluster, attachment.pod_links, attachment.kind)
    clues = (
        *crossing.clues,
        *attachment.clues,
        *pods.clues,
        *own.clues,
        *services.clues,
        mode_clue,
        dns_clue,
        ports_clue,
        count_clue,
        *_unknown(pods.prefixes, services.prefixes),
    )
    return Topology(
        node=node.name,
        overlay=crossing.overlay,
        attachment=attachment.kind,
        pod_ranges=pods.prefixes,
        node_pod_ranges=own.prefixes,
        service_ranges=services.prefixes,
        service_addresses=len(rules.cluster_addresses),
        dns_service=dns,
        api_servers=_api_servers(cluster, rules),
        uplinks=_uplinks(node, cluster, crossing.links, pods.prefixes, own.prefixes),
        overlay_links=crossing.links,
        encapsulation_overhead=crossing.overhead,
        bridges=attachment.bridges,
        pod_links=attachment.pod_links,
        kube_proxy_mode=mode,
        iptables_backends=_backends(node),
        node_port_range=ports,
        node_ports=_node_ports(cluster, rules),
        host_ports=_host_ports(node, cluster, rules),
        owners=owners,
        pods=count,
        clues=tuple(clue for clue in clues if clue),
    )


def _mode(node: NodeState, cluster: Cluster | None, rules: ServiceRules) -> tuple[str, str]:
    mode, clue = mode_of(node, rules)
    if mode != "unknown":
        return mode, clue
    told = component_options(node, "kube-proxy").get("proxy-mode", "")
    if told:
        return told, f"kube-proxy's option --proxy-mode asks for {told}"
    proxy = proxy_config(node.files, cluster)
    if proxy is None:
        return mode, clue
    # An empty mode means iptables on Linux (kubernetes, cmd/kube-proxy options --proxy-mode).
    return (
        proxy.mode or "iptables",
        f"kube-proxy's configuration asks for the mode {proxy.mode or 'iptables'}",
    )


def _dns(node: NodeState, cluster: Cluster | None, rules: ServiceRules) -> tuple[tuple[str, ...], str]:
    """Where pods send their questions: what the kubelet writes into resolv.conf counts before the Service itself."""
    kubelet = kubelet_config(node.files)
    if kubelet is not None and kubelet.cluster_dns:
        told = tuple(kubelet.cluster_dns)
        return told, f"pods ask {', '.join(told)}: the kubelet's clusterDNS"
    if rules.dns:
        return tuple(sorted(rules.dns)), "the DNS Service is named in the comments of kube-proxy's rules"
    for service in cluster.services if cluster is not None else ():
        if service.namespace in ("kube-system", "openshift-dns") and service.name in (
            "kube-dns",
            "coredns",
            "rke2-coredns-rke2-coredns",
            "dns-default",
        ):
            return service.cluster_ips, f"the DNS Service is {service.namespace}/{service.name}"
    return (), "where pods send DNS questions is not known"


def _api_servers(cluster: Cluster | None, rules: ServiceRules) -> tuple[str, ...]:
    found = set(rules.api_servers)
    for service in cluster.services if cluster is not None else ():
        if (service.namespace, service.name) == ("default", "kubernetes"):
            found.update(endpoint.address for endpoint in service.endpoints)
    return tuple(sorted(found))


def _uplinks(
    node: NodeState,
    cluster: Cluster | None,
    overlay_links: tuple[str, ...],
    pods: tuple[str, ...],
    own: tuple[str, ...],
) -> tuple[str, ...]:
    """Links with a default route by metric, then what tunnels run over, then those towards other nodes."""
    names: list[str] = []
    for route in sorted((r for r in node.routes if r.is_default and r.table == MAIN), key=lambda r: r.metric):
        if route.type == "unicast":
            names += [hop.link for hop in route.nexthops]
    names += [link.lower for link in node.links if link.name in overlay_links]
    for route in node.routes:
        if (
            route.table == MAIN
            and not route.is_default
            and inside(route.prefix, pods)
            and not inside(route.prefix, own)
        ):
            names += [hop.link for hop in route.nexthops if hop.via]
    peers = (
        [a for n in cluster.nodes if n.name != node.name for a in n.addresses] if cluster is not None else []
    )
    for link in node.links:
        prefixes = [a.prefix for a in link.addresses if a.scope == "global"]
        if any(_reaches(prefix, peers) for prefix in prefixes):
            names.append(link.name)
    known = {link.name: link for link in node.links}
    tunnels = frozenset(overlay_links)
    return tuple(
        dict.fromkeys(name for name in names if name and name not in tunnels and _uplink(known.get(name)))
    )


def _uplink(link: Link | None) -> bool:
    return link is None or (link.kind != "loopback" and link.name != "lo")


def _reaches(prefix: str, peers: list[str]) -> bool:
    own = network(prefix)
    return (
        own is not None
        and own.prefixlen < own.max_prefixlen
        and any(inside(peer, (prefix,)) for peer in peers)
    )


def _backends(node: NodeState) -> tuple[str, ...]:
    """Backends that hold rules or chains of their own."""
    return tuple(
        sorted(
            {
                r.backend
                for r in node.rulesets
                if r.size or any(set(t.chains) - set(t.policies) for t in r.tables.values())
            }
        )
    )


def _node_port_range(node: NodeState, cluster: Cluster | None) -> tuple[tuple[int, int], str]:
    kubeadm = kubeadm_config(cluster)
    told = component_options(node, "kube-apiserver").get("service-node-port-range", "")
    told = told or (kubeadm.node_port_range if kubeadm is not None else "")
    low, dash, high = told.partition("-")
    if dash and low.strip().isdigit() and high.strip().isdigit() and 0 < int(low) <= int(high) <= 65535:
        return (int(low), int(high)), f"NodePorts are {told}: the API server's --service-node-port-range"
    return NODE_PORTS, ""


def _node_ports(cluster: Cluster | None, rules: ServiceRules) -> tuple[int, ...]:
    ports = set(rules.node_ports)
    for service in cluster.services if cluster is not None else ():
        ports.update(port.node_port for port in service.ports if port.node_port is not None)
    return tuple(sorted(ports))


def _host_ports(node: NodeState, cluster: Cluster | None, rules: ServiceRules) -> tuple[int, ...]:
    ports = set(rules.host_ports)
    for pod in cluster.pods if cluster is not None else ():
        if pod.node == node.name and pod.phase not in ("Succeeded", "Failed"):
            ports.update(port.host_port for port in pod.host_ports)
    return tuple(sorted(ports))


def _pods(
    node: NodeState, cluster: Cluster | None, links: tuple[str, ...], kind: PodAttachment
) -> tuple[int | None, str]:
    if cluster is not None and cluster.pods:
        count = sum(p.node == node.name and p.phase == "Running" and not p.host_network for p in cluster.pods)
        return count, f"{count} running pods with an address of their own, says the API"
    if links:
        return len(links), f"{len(links)} pods, one for each pod link"
    if kind is PodAttachment.NONE:
        return 0, ""
    return None, "how many pods run here is not known"


def _unknown(pods: tuple[str, ...], services: tuple[str, ...]) -> tuple[str, ...]:
    return (
        "" if pods else "the pods' range is not known",
        "" if services else "the service range is not known",
    )

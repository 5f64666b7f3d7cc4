"""Runnable checks of the paths that people notice first, from what the snapshot knows."""

from collections.abc import Iterator
from ipaddress import ip_address

from planner.models.cluster import Cluster, Service
from planner.models.horizon import Horizon
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.plan import Probe
from planner.models.proposal import Outlook
from planner.models.topology import Topology

WAIT = "3"
"""Seconds: a path that needs longer is broken for people."""


def probes(outlook: Outlook, topology: Topology | None, cluster: Cluster | None) -> tuple[Probe, ...]:
    """The same commands before, between and after: what passes before must pass after."""
    state = outlook.before[Horizon.NOW]
    return tuple(
        dict.fromkeys(
            (
                *_gateways(state),
                *_dns(topology, cluster),
                *_api_servers(topology, cluster),
                *_other_nodes(outlook.node, topology, cluster),
                *_node_ports(state, topology, cluster),
                *_from_a_pod(outlook.node, topology, cluster),
            )
        )
    )


def _gateways(state: NodeState) -> Iterator[Probe]:
    for route in state.routes:
        if route.is_default and route.table == "254":
            for hop in route.nexthops:
                if hop.via:
                    yield Probe(
                        about=f"the gateway {hop.via} on {hop.link} answers",
                        argv=("ping", "-c", "1", "-W", WAIT, "-I", hop.link, hop.via),
                        expect="exit status 0 (some gateways never answer: then it fails before the change as well)",
                    )


def _dns(topology: Topology | None, cluster: Cluster | None) -> Iterator[Probe]:
    servers = list(topology.dns_service) if topology else []
    for service in cluster.services if cluster else ():
        if service.namespace == "kube-system" and service.name in {
            "kube-dns",
            "coredns",
            "rke2-coredns-rke2-coredns",
        }:
            servers += service.cluster_ips
    for server in dict.fromkeys(servers):
        yield Probe(
            about=f"the cluster's DNS {server} answers the node",
            argv=("nslookup", f"-timeout={WAIT}", "kubernetes.default.svc.cluster.local", server),
            expect="an address",
        )


def _api_servers(topology: Topology | None, cluster: Cluster | None) -> Iterator[Probe]:
    places = [_with_port(server, "6443") for server in topology.api_servers] if topology else []
    for service in cluster.services if cluster else ():
        if (service.namespace, service.name) == ("default", "kubernetes"):
            places += [
                _place(address, str(service.ports[0].port))
                for address in service.cluster_ips
                if service.ports
            ]
    for place in dict.fromkeys(places):
        yield Probe(
            about=f"the API server {place} answers the node",
            argv=(
                "curl",
                "-sk",
                "-m",
                WAIT,
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                f"https://{place}/livez",
            ),
            expect="200, 401 or 403; 000 means no connection",
        )


def _other_nodes(node: str, topology: Topology | None, cluster: Cluster | None) -> Iterator[Probe]:
    """One pod of another node: crosses the overlay or the routes between nodes."""
    if cluster is None or topology is None:
        return
    for pod in cluster.pods:
        if pod.node not in {"", node} and not pod.host_network and pod.addresses and pod.phase == "Running":
            yield Probe(
                about=f"{pod.namespace}/{pod.name} on {pod.node} is reached from this node",
                argv=("ping", "-c", "1", "-W", WAIT, pod.addresses[0]),
                expect="exit status 0 (a NetworkPolicy may refuse it: then it fails before the change as well)",
            )
            return


def _node_ports(state: NodeState, topology: Topology | None, cluster: Cluster | None) -> Iterator[Probe]:
    address = _own_address(state, topology)
    if not address:
        return
    ports: list[tuple[int, str]] = []
    for service in cluster.services if cluster else ():
        ports += _tcp_node_ports(service)
    if not ports and topology:
        ports = [(port, "") for port in topology.node_ports]
    for port, owner in sorted(set(ports))[:1]:
        whose = f" of {owner}" if owner else ""
        yield Probe(
            about=f"node port {port}{whose} is open; run it on a machine outside the cluster",
            argv=("nc", "-z", "-w", WAIT, address, str(port)),
            expect="exit status 0",
        )


def _tcp_node_ports(service: Service) -> list[tuple[int, str]]:
    return [
        (port.node_port, f"{service.namespace}/{service.name}")
        for port in service.ports
        if port.node_port is not None and port.protocol == "TCP" and any(e.ready for e in service.endpoints)
    ]


def _from_a_pod(node: str, topology: Topology | None, cluster: Cluster | None) -> Iterator[Probe]:
    """A pod of this node to a name: its link, forwarding, the DNS service, and the way out."""
    for pod in cluster.pods if cluster else ():
        if pod.node == node and not pod.host_network and pod.addresses and pod.phase == "Running":
            command = ("kubectl", "exec", "-n", pod.namespace, pod.name, "--")
            yield Probe(
                about=f"{pod.namespace}/{pod.name} on this node resolves a name outside the cluster",
                argv=(*command, "nslookup", "kubernetes.io"),
                expect="an address (the pod's image needs nslookup)",
            )
            if topology and topology.api_servers:
                place = _with_port(topology.api_servers[0], "6443")
                yield Probe(
                    about=f"{pod.namespace}/{pod.name} on this node leaves it: a connection to {place}",
                    argv=(
                        *command,
                        "wget",
                        "-q",
                        "-T",
                        WAIT,
                        "-O",
                        "-",
                        "--no-check-certificate",
                        f"https://{place}/livez",
                    ),
                    expect="an answer, be it a refusal; a timeout means no way out (the pod's image needs wget)",
                )
            return


def _own_address(state: NodeState, topology: Topology | None) -> str:
    uplinks: tuple[str, ...] = topology.uplinks if topology else ()
    links: list[Link] = [link for name in uplinks if (link := state.link(name)) is not None]
    addresses: list[Address] = [
        address for link in links for address in link.addresses if address.scope == "global"
    ]
    return addresses[0].address if addresses else ""


def _with_port(server: str, port: str) -> str:
    """An API server as `host:port`; the default port where none is named."""
    bare = server.removeprefix("https://").removeprefix("http://").rstrip("/")
    try:
        ip_address(bare)
    except ValueError:
        return bare if ":" in bare else f"{bare}:{port}"
    return _place(bare, port)


def _place(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

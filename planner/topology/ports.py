"""Which ports the kernel may hand out by itself, and who else wants them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from planner.models.node import NodeState
from planner.models.topology import Topology

RANGE_KEY = "net.ipv4.ip_local_port_range"
RESERVED_KEY = "net.ipv4.ip_local_reserved_ports"
DEFAULT_RANGE = (32768, 60999)
"""A new namespace starts with it (net/ipv4/tcp_ipv4.c tcp_sk_init; measured on 6.18)."""

COMPONENT_PORTS: Mapping[int, str] = {
    10248: "kubelet",
    10249: "kube-proxy",
    10250: "kubelet",
    10256: "kube-proxy",
}
"""What every node binds, by defaults (kubernetes.io, Ports and Protocols; the four of kubelet and kube-proxy)."""


@dataclass(frozen=True, slots=True)
class PortPool:
    """The source ports of the node's own connections."""

    low: int
    high: int
    reserved: frozenset[int]

    def __contains__(self, port: int) -> bool:
        return self.low <= port <= self.high and port not in self.reserved

    @property
    def size(self) -> int:
        """How many ports the kernel may choose from."""
        return self.high - self.low + 1 - sum(self.low <= port <= self.high for port in self.reserved)


def port_pool(sysctls: Mapping[str, str]) -> PortPool | None:
    """The pool of a state; None when the range is not known. A reserved list that is not known counts as empty."""
    bounds = sysctls.get(RANGE_KEY, "").split()
    if len(bounds) != 2 or not all(bound.isdigit() for bound in bounds):
        return None
    return PortPool(int(bounds[0]), int(bounds[1]), frozenset(port_list(sysctls.get(RESERVED_KEY, ""))))


def port_list(text: str) -> Iterable[int]:
    """`8080,30000-32767` to its ports (Documentation/networking/ip-sysctl.rst, ip_local_reserved_ports)."""
    for part in text.replace(" ", ",").split(","):
        low, dash, high = part.strip().partition("-")
        if low.isdigit() and (not dash or high.isdigit()) and int(high or low) <= 65535:
            yield from range(int(low), int(high or low) + 1)


def newly_offered(before: PortPool, after: PortPool, ports: Iterable[int]) -> tuple[int, ...]:
    """Those of the ports that the kernel may hand out after, and did not before."""
    return tuple(sorted({port for port in ports if port in after and port not in before}))


def listened(node: NodeState, topology: Topology) -> dict[int, str]:
    """Ports that programs of the host bind, with the program's name; by component defaults where sockets were not read.

    NodePorts are left out: kube-proxy's own sockets on them are the same claim once more.
    """
    found = {
        entry.port: entry.process or entry.protocol
        for entry in sorted(node.volatile.listeners, key=lambda entry: (entry.port, entry.process))
        if entry.port not in topology.node_ports
    }
    return (
        found if node.volatile.listeners else dict(COMPONENT_PORTS) if is_kubernetes(node, topology) else {}
    )


def is_kubernetes(node: NodeState, topology: Topology) -> bool:
    """Whether a kubelet runs here, by what is seen of it."""
    return (
        topology.kube_proxy_mode in ("iptables", "ipvs", "nftables")
        or bool(topology.pods)
        or "kubelet" in node.tools
        or any("kubelet" in path for path in node.files)
    )


def spans(ports: Iterable[int], most: int = 4) -> str:
    """`30080`, `30000-30010 and 31000`, for people: runs of ports are joined, and what is too long is counted."""
    runs: list[list[int]] = []
    for port in sorted(set(ports)):
        if runs and port == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], port]
        else:
            runs.append([port])
    words = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    if len(words) > most:
        return ", ".join(words[:most]) + f" and {len(words) - most} more"
    return " and ".join(", ".join(words).rsplit(", ", 1)) if len(words) > 1 else "".join(words)

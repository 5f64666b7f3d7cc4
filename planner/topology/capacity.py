"""How much room a node has left in the tables and pools that the kernel limits."""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.topology.ports import port_pool
from planner.topology.prefixes import Network, address, network

GROWTH = 5.0
CONNTRACK_KEYS = ("net.netfilter.nf_conntrack_max", "net.nf_conntrack_max")


@dataclass(frozen=True, slots=True)
class Headroom:
    """One limit with its use."""

    resource: str
    """`conntrack`, `neighbours/ip`, `neighbours/ip6`, `ports`, `tcp_mem`, `udp_mem`, `files`."""
    used: int | None
    """None when nothing tells."""
    limit: int | None
    unit: str
    basis: str
    """What the use was taken from, for people."""
    unknown_because: str = ""
    at_least: bool = False
    """The use was counted from what is seen and may be larger."""
    expected: int = 0
    """Entries that are to be expected whatever the use is now: one for each peer."""
    notes: tuple[str, ...] = ()

    def fits(self, growth: float) -> bool | None:
        """Whether use times growth stays within the limit; None when use or limit is not known."""
        if self.used is None or self.limit is None:
            return None
        return max(self.used * growth, self.expected) <= self.limit

    @property
    def full(self) -> bool:
        """Whether the limit is reached by what is used now."""
        return self.used is not None and self.limit is not None and self.used >= self.limit

    @property
    def share(self) -> float | None:
        """Used part of the limit."""
        if self.used is None or not self.limit:
            return None
        return self.used / self.limit


def headroom(node: NodeState, cluster: Cluster | None = None) -> tuple[Headroom, ...]:
    """All limits of the node that have one, in the order in which they usually end."""
    return tuple(
        entry
        for entry in (
            conntrack(node),
            neighbours(node, cluster, "ip"),
            neighbours(node, cluster, "ip6"),
            source_ports(node),
            socket_memory(node, "tcp"),
            socket_memory(node, "udp"),
            open_files(node),
        )
        if entry.used is not None or entry.limit is not None
    )


def conntrack(node: NodeState) -> Headroom:
    """Tracked flows against nf_conntrack_max; 0 means no limit on the kernels that accept it."""
    figures = node.volatile.conntrack
    limit = next(
        (value for key in CONNTRACK_KEYS if (value := _number(node.sysctls.get(key))) is not None), None
    )
    limit = figures.maximum if limit is None else limit
    used = (
        figures.count
        if figures.count is not None
        else _number(node.sysctls.get("net.netfilter.nf_conntrack_count"))
    )
    notes = [
        f"{count:,} {what}"
        for count, what in (
            (figures.drop, "packets dropped because the table was full"),
            (figures.early_drop, "flows dropped early to make room"),
            (figures.insert_failed, "inserts failed"),
        )
        if count
    ]
    return Headroom(
        resource="conntrack",
        used=used,
        limit=None if limit == 0 else limit,
        unit="flows",
        basis="nf_conntrack_count",
        unknown_because="" if used is not None else _why(node, "conntrack", "the number of tracked flows"),
        notes=tuple(notes),
    )


def neighbours(node: NodeState, cluster: Cluster | None, family: str) -> Headroom:
    """Collectable neighbour entries of the whole machine against gc_thresh3, which pods share with the node.

    The table is one per family and machine; permanent entries are not collectable and do not count
    (net/core/neighbour.c neigh_alloc, exempt_from_gc).
    """
    key = f"net.ipv{'6' if family == 'ip6' else '4'}.neigh.default.gc_thresh3"
    listed = [n for n in node.neighbours if (":" in n.address) == (family == "ip6") and not n.proxy]
    permanent = sum(n.permanent for n in listed)
    count = node.volatile.neighbour_count.get(family)
    seen = len(listed) - permanent
    expected = len(_peers(node, cluster, family))
    if count is not None:
        used: int | None = max(count - permanent, 0)
        basis, at_least = "the kernel's own count", False
    else:
        used, at_least = (seen if node.neighbours else None), True
        basis = "the entries listed on the node, without those of pods' namespaces"
    notes: tuple[str, ...] = ()
    if expected > (used or 0):
        if used is None or at_least:
            used, at_least = expected, True
            basis = "the peers on the node's links that the cluster and the routes name"
        else:
            notes = (
                f"{expected:,} {'peer' if expected == 1 else 'peers'} on the node's links may need an entry each",
            )
    return Headroom(
        resource=f"neighbours/{family}",
        used=used,
        limit=_number(node.sysctls.get(key)),
        unit="entries",
        basis=basis,
        unknown_because=""
        if count is not None
        else _why(node, "neighbours", "the kernel's count of neighbours"),
        at_least=at_least,
        expected=expected,
        notes=notes,
    )


def _peers(node: NodeState, cluster: Cluster | None, family: str) -> set[str]:
    """Addresses that need an entry sooner or later: gateways, other nodes on a link's prefix, and local pods."""
    six = family == "ip6"
    found = {
        hop.via for route in node.routes for hop in route.nexthops if hop.via and (":" in hop.via) == six
    }
    if cluster is None:
        return found
    own = {a.address for link in node.links for a in link.addresses}
    prefixes = [
        p for link in node.links if link.name != "lo" for a in link.addresses if (p := network(a.prefix))
    ]
    for entry in cluster.nodes:
        if entry.name != node.name:
            found.update(a for a in entry.addresses if (":" in a) == six and _on_link(a, prefixes))
    for pod in cluster.pods:
        if not pod.host_network and pod.node == node.name and pod.phase == "Running":
            found.update(a for a in pod.addresses if (":" in a) == six)
    return found - own


def _on_link(text: str, prefixes: list[Network]) -> bool:
    parsed = address(text)
    return parsed is not None and any(
        parsed in prefix for prefix in prefixes if prefix.version == parsed.version
    )


def source_ports(node: NodeState) -> Headroom:
    """TCP sockets of the host against the ports it may use; each destination has the whole pool, so this errs high."""
    pool = port_pool(node.sysctls)
    sockets = node.volatile.sockets
    counted = ("tcp_inuse", "tcp6_inuse", "tcp_tw")
    used = sum(sockets.get(key, 0) for key in counted) if "tcp_inuse" in sockets else None
    return Headroom(
        resource="ports",
        used=used,
        limit=pool.size if pool is not None else None,
        unit="ports",
        basis="TCP sockets of the host, listening and waiting ones included",
        unknown_because="" if used is not None else _why(node, "sockets", "the number of sockets"),
    )


def socket_memory(node: NodeState, protocol: str) -> Headroom:
    """Pages of socket buffers of the whole machine against the third number of tcp_mem or udp_mem."""
    limits = node.sysctls.get(f"net.ipv4.{protocol}_mem", "").split()
    used = node.volatile.sockets.get(f"{protocol}_mem")
    return Headroom(
        resource=f"{protocol}_mem",
        used=used,
        limit=_number(limits[2]) if len(limits) == 3 else None,
        unit="pages",
        basis="/proc/net/sockstat",
        unknown_because="" if used is not None else _why(node, "sockets", "the memory of sockets"),
    )


def open_files(node: NodeState) -> Headroom:
    """Open files of the machine against fs.file-max; sockets are files."""
    numbers = (node.sysctls.get("fs.file-nr") or node.volatile.extra.get("fs.file-nr", "")).split()
    used = _number(numbers[0]) if numbers else None
    return Headroom(
        resource="files",
        used=used,
        limit=_number(node.sysctls.get("fs.file-max")),
        unit="files",
        basis="fs.file-nr",
        unknown_because=""
        if used is not None
        else _why(node, "sysctl", "the number of open files (fs.file-nr)"),
    )


def tight(entries: tuple[Headroom, ...], growth: float = GROWTH) -> Iterator[Headroom]:
    """Those that would not hold the use times growth."""
    return (entry for entry in entries if entry.fits(growth) is False)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _why(node: NodeState, section: str, what: str) -> str:
    gap = node.gap(section)
    return f"{what} is not in the snapshot" + (f": {gap.reason}" if gap is not None else "")

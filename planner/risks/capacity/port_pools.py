"""The pools of source ports before and after a change of one of their two sysctls, and what is known of NodePorts."""

from planner.models.change import SysctlChange
from planner.risks.risk import Review
from planner.topology.ports import PortPool, port_pool

KEYS = ("net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports")


def pools(change: SysctlChange, review: Review) -> tuple[PortPool, PortPool] | None:
    """Both pools; None when one of the ranges is not known. The change's own values count, whatever the states hold."""
    former, later = dict(review.before.sysctls), dict(review.after.sysctls)
    for key in KEYS:
        if key == change.key:
            former[key] = change.before or ""
            later[key] = change.after or ""
        # A state that holds the key on one side only has it on both: no change of it was told.
        former.setdefault(key, later.get(key, ""))
        later.setdefault(key, former.get(key, ""))
    before, after = port_pool(former), port_pool(later)
    return (before, after) if before is not None and after is not None else None


def node_ports_unknown(review: Review) -> str:
    """Why the NodePorts in use are not known; empty when they are."""
    if review.topology.node_ports or review.topology.kube_proxy_mode in ("iptables", "ipvs", "nftables"):
        return ""
    if review.cluster is not None and review.cluster.services:
        return ""
    return "which NodePorts are in use is neither in kube-proxy's rules nor in the cluster's Services"


def node_port_range(review: Review) -> range:
    """All ports that a Service may get."""
    low, high = review.topology.node_port_range
    return range(low, high + 1)

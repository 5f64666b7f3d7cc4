"""A node in words: what network this is, who writes it, how much room is left, and what is not known."""

from collections.abc import Iterator
from textwrap import wrap

from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.snapshot import Snapshot
from planner.models.topology import Overlay, PodAttachment, Topology
from planner.parse.network_files import CniFacts, cni_facts
from planner.parse.resolv import load_resolv
from planner.report.escape import visible
from planner.report.words import count
from planner.topology.capacity import GROWTH, Headroom, headroom
from planner.topology.derive import derive_topology
from planner.topology.ports import RESERVED_KEY, listened, port_pool, spans

BOLD, RED, YELLOW, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
LABEL, WIDEST = 15, 32
"""Columns of the words on the left: at least, and at most when a name needs more."""

OVERLAYS = {
    Overlay.FLANNEL_VXLAN: "flannel, VXLAN between nodes",
    Overlay.FLANNEL_UDP: "flannel, UDP between nodes",
    Overlay.FLANNEL_HOST_GW: "flannel, plain routes between nodes (host-gw)",
    Overlay.CALICO_BGP: "calico, routed between nodes without a tunnel",
    Overlay.CALICO_IPIP: "calico, IPIP between nodes",
    Overlay.CALICO_VXLAN: "calico, VXLAN between nodes",
    Overlay.CILIUM: "cilium",
    Overlay.WEAVE: "weave",
    Overlay.ROMANA: "romana, routed",
    Overlay.KUBE_ROUTER: "kube-router",
    Overlay.AWS_VPC: "AWS VPC CNI: pods have addresses of the VPC",
    Overlay.HOST_ROUTES: "plain routes to other nodes' subnets",
    Overlay.CLOUD_ROUTES: "a bridge for pods; the network outside carries their subnets",
    Overlay.NONE: "no pod network on this node",
    Overlay.UNKNOWN: "not known",
}
ATTACHMENTS = {
    PodAttachment.BRIDGE: "on a bridge",
    PodAttachment.ROUTED: "routed one by one",
    PodAttachment.NONE: "none",
    PodAttachment.UNKNOWN: "not known how they are attached",
}
RESOURCES = {
    "conntrack": "tracked flows",
    "neighbours/ip": "neighbours v4",
    "neighbours/ip6": "neighbours v6",
    "ports": "source ports",
    "tcp_mem": "TCP memory",
    "udp_mem": "UDP memory",
    "files": "open files",
}
SHOWN_LINKS = 8
SHOWN_GAPS = 12

Row = tuple[str, str]
"""A label, and what stands beside it; rows without a label go on with the one above."""
BESIDE = " "
"""Label of a row whose text stands under the text of the one above."""


def describe(snapshot: Snapshot, *, width: int = 80, color: bool = False) -> str:
    """Every node of the snapshot, in the order of their names."""
    names = [node.name for node in snapshot.nodes]
    head = f"{len(names)} nodes" if len(names) != 1 else names[0]
    blocks = [_paint(f"{visible(head)}, snapshot of {visible(snapshot.taken_at)}", BOLD, color=color)]
    blocks += [
        _node(node, snapshot.cluster, width=width, color=color)
        for node in sorted(snapshot.nodes, key=lambda node: node.name)
    ]
    return "\n\n".join(blocks) + "\n"


def _node(node: NodeState, cluster: Cluster | None, *, width: int, color: bool) -> str:
    topology = derive_topology(node, cluster)
    room = headroom(node, cluster)
    sections: list[tuple[str, list[Row]]] = [
        (f"Node {node.name}", list(_head(node))),
        ("Pod network", list(_network(node, topology))),
        ("Services", list(_services(node, topology))),
        ("Rules", list(_rules(node, topology))),
        ("MTU", list(_mtu(node, topology))),
        (f"Room (asked for: {GROWTH:g} times the present use)", list(_room(room))),
        ("Ports", list(_ports(node, topology))),
        ("Concluded from", [("", clue) for clue in topology.clues]),
        ("Not known", list(_gaps(node))),
    ]
    longest = max((len(visible(label)) for _, rows in sections for label, _ in rows), default=0)
    column = min(max(LABEL, longest + 2), WIDEST)
    lines: list[str] = []
    for title, rows in sections:
        if not rows and lines:
            continue
        lines += (
            ["", _paint(visible(title), BOLD, color=color)]
            if lines
            else [_paint(visible(title), BOLD, color=color)]
        )
        for label, text in rows:
            lines += _row(label, text, column=column, width=width, color=color)
    return "\n".join(lines)


def _row(label: str, text: str, *, column: int, width: int, color: bool) -> list[str]:
    """Wrapped to the width; a warning stands as a word, and has its colour besides."""
    shown = visible(text)
    left = f"  {visible(label):<{column}}" if label else "  "
    folded = wrap(shown, max(width - len(left), 20), break_long_words=True, break_on_hyphens=False) or [""]
    style = RED if shown.startswith(("full", "too big")) else YELLOW if shown.startswith("tight") else ""
    pad = " " * len(left) if label else "    "
    return [
        (left if first else pad) + (_paint(part, style, color=color) if style else part)
        for part, first in zip(folded, [True] + [False] * len(folded), strict=False)
    ]


def _head(node: NodeState) -> Iterator[Row]:
    parts = [part for part in (node.os, f"kernel {node.kernel}" if node.kernel else "") if part]
    if parts:
        yield "system", ", ".join(parts)
    if node.volatile.cpus or node.volatile.memory_kib:
        memory = f"{node.volatile.memory_kib / 1024 / 1024:.0f} GiB" if node.volatile.memory_kib else ""
        cpus = f"{node.volatile.cpus} processors" if node.volatile.cpus else ""
        yield "size", ", ".join(part for part in (cpus, memory) if part)
    for name in sorted(node.tools):
        if "kubelet" in name or "containerd" in name or "iptables" in name:
            yield name, node.tools[name]


def _network(node: NodeState, topology: Topology) -> Iterator[Row]:
    yield "kind", OVERLAYS[topology.overlay]
    if topology.overlay_links:
        yield "tunnels", ", ".join(topology.overlay_links)
    cni = cni_facts(node.files)
    if cni is not None:
        yield "CNI", f"{' + '.join(cni.types)} ({cni.path})"
    count = "number not known" if topology.pods is None else f"{topology.pods} on this node"
    yield "pods", f"{count}, {ATTACHMENTS[topology.attachment]}" if topology.pods != 0 else count
    if topology.bridges:
        yield "bridges", ", ".join(topology.bridges)
    yield "pod range", ", ".join(topology.pod_ranges) or "not known"
    yield "own range", ", ".join(topology.node_pod_ranges) or "not known"
    yield "uplinks", ", ".join(topology.uplinks) or "not known"


def _services(node: NodeState, topology: Topology) -> Iterator[Row]:
    mode = topology.kube_proxy_mode
    yield "kube-proxy", {"none": "none seen", "unknown": "not known"}.get(mode, f"{mode} mode")
    counted = f" ({topology.service_addresses:,} addresses in rules)" if topology.service_addresses else ""
    yield "service range", (", ".join(topology.service_ranges) or "not known") + counted
    yield "DNS of pods", ", ".join(topology.dns_service) or "not known"
    if any(owner.name == "node-local-dns" for owner in topology.owners):
        yield "", "a cache on this node answers first (node-local-dns has rules here)"
    resolver = load_resolv(node.files)
    yield "DNS of node", ", ".join(resolver.asked) if resolver is not None else "not known"
    yield "API server", ", ".join(topology.api_servers) or "not known"


def _rules(node: NodeState, topology: Topology) -> Iterator[Row]:
    for ruleset in node.rulesets:
        if ruleset.size:
            yield "iptables", f"{ruleset.size:,} rules for {ruleset.family} in the {ruleset.backend} backend"
    if len(topology.iptables_backends) > 1:
        yield (
            "",
            "tight: both backends hold rules; each packet passes through both, and each tool shows only its own",
        )
    tables = node.native.text.count("\ntable ") + node.native.text.startswith("table ")
    if tables:
        yield "nft", f"{tables} table{'' if tables == 1 else 's'} beside those that iptables-nft prints whole"
    if node.ipsets:
        elements = sum(len(one.elements) for one in node.ipsets)
        yield "ipsets", f"{count(len(node.ipsets), 'set')} with {count(elements, 'element')}"
    for owner in topology.owners:
        yield owner.name, f"{owner.rules:>7,} rules in {owner.chains:,} own chains"


def _mtu(node: NodeState, topology: Topology) -> Iterator[Row]:
    """Uplink, tunnel and pods, with the arithmetic that has to hold between them."""
    mtus = {link.name: link.mtu for link in node.links}
    uplinks = [name for name in topology.uplinks if name in mtus]
    for name in uplinks:
        yield name, f"{mtus[name]} (uplink)"
    smallest = min((mtus[name] for name in uplinks), default=None)
    most = smallest - topology.encapsulation_overhead if smallest is not None else None
    for name in topology.overlay_links:
        if name in mtus and topology.encapsulation_overhead:
            yield name, _fits(mtus[name], smallest, topology.encapsulation_overhead)
    for name in topology.bridges:
        if name in mtus:
            yield name, f"{mtus[name]} (bridge of pods)"
    sizes: dict[int, int] = {}
    for name in topology.pod_links:
        if name in mtus:
            sizes[mtus[name]] = sizes.get(mtus[name], 0) + 1
    for size in sorted(sizes)[:SHOWN_LINKS]:
        verdict = (
            ""
            if most is None or size <= most
            else f": larger than the {most} that fit through to other nodes"
        )
        yield "pod links", f"{'tight: ' if verdict else ''}{size} on {sizes[size]} of them{verdict}"
    cni = cni_facts(node.files)
    if cni is not None and cni.mtu is not None:
        yield "CNI file", _asked(cni, most)


def _fits(mtu: int, uplink: int | None, overhead: int) -> str:
    if uplink is None:
        return f"{mtu} (the tunnel adds {overhead}; the uplink is not known)"
    if mtu > uplink - overhead:
        return f"too big: {mtu}, and {uplink} - {overhead} = {uplink - overhead}"
    return f"{mtu}, ok: {uplink} - {overhead} = {uplink - overhead}"


def _asked(cni: CniFacts, most: int | None) -> str:
    if most is not None and cni.mtu is not None and cni.mtu > most:
        return f"tight: asks for {cni.mtu}, and {most} fit through to other nodes"
    return f"asks for {cni.mtu}"


def _room(room: tuple[Headroom, ...]) -> Iterator[Row]:
    for entry in room:
        if entry.used is None:
            yield RESOURCES[entry.resource], f"use not known, limit {entry.limit:,}: {entry.unknown_because}"
            continue
        about = f"{'at least ' if entry.at_least else ''}{entry.used:,}"
        if entry.limit is None:
            yield RESOURCES[entry.resource], f"{about} {entry.unit}, limit not known"
            continue
        word = "full: " if entry.full else "tight: " if entry.fits(GROWTH) is False else ""
        yield (
            RESOURCES[entry.resource],
            f"{word}{about} of {entry.limit:,} {entry.unit} ({_percent(entry.share)})",
        )
        for note in entry.notes:
            yield BESIDE, note


def _percent(share: float | None) -> str:
    if share is None:
        return "share not known"
    return "under 1%" if 0 < share < 0.01 else f"{share:.0%}"


def _ports(node: NodeState, topology: Topology) -> Iterator[Row]:
    low, high = topology.node_port_range
    # Only iptables mode has a rule for each of them; elsewhere none seen is not none in use.
    silent = not topology.node_ports and topology.kube_proxy_mode in {"ipvs", "nftables", "unknown"}
    yield (
        "NodePorts",
        f"{low}-{high}, " + ("use not known" if silent else f"{len(topology.node_ports)} in use"),
    )
    if topology.host_ports:
        yield "hostPorts", spans(topology.host_ports, most=10)
    pool = port_pool(node.sysctls)
    if pool is None:
        yield "source ports", "range not known"
        return
    reserved = node.sysctls.get(RESERVED_KEY, "")
    yield "source ports", f"{pool.low}-{pool.high}" + (f", without {reserved}" if reserved else "")
    taken = [port for port in topology.node_ports if port in pool]
    if taken:
        yield "", f"tight: the kernel may hand out {len(taken)} NodePorts in use ({spans(taken)})"
    if node.volatile.listeners:
        # Ports of the pool itself are those that programs asked the kernel for; only the known numbers matter.
        bound = [port for port in listened(node, topology) if port in pool and port < 32768]
        if bound:
            yield "", f"tight: programs of the host listen on ports of this range ({spans(bound)})"


def _gaps(node: NodeState) -> Iterator[Row]:
    for gap in node.gaps[:SHOWN_GAPS]:
        yield "", str(gap)
    if len(node.gaps) > SHOWN_GAPS:
        yield "", f"and {len(node.gaps) - SHOWN_GAPS} more"


def _paint(text: str, style: str, *, color: bool) -> str:
    return f"{style}{text}{PLAIN}" if color else text

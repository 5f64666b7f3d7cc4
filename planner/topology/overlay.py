"""How pod packets cross between nodes, and what the encapsulation adds to them."""

from dataclasses import dataclass
from re import compile as pattern

from planner.models.cluster import Cluster
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.route import MAIN, Route
from planner.models.topology import Overlay, PodAttachment
from planner.parse.network_files import CniFacts, config_map, flannel_network, flannel_ranges
from planner.topology.attachment import Attachment
from planner.topology.prefixes import inside, network

OVERHEAD = {"vxlan": (50, 70), "geneve": (50, 70), "ipip": (20, 20), "sit": (20, 20), "ip6tnl": (40, 40),
            "wireguard": (60, 80), "gre": (24, 44), "gretap": (38, 58)}  # fmt: skip
"""Octets by kind of link, over IPv4 and over IPv6: outer IP 20 or 40, then UDP 8 + VXLAN 8 + inner Ethernet 14 (RFC 7348
section 5), Geneve without options the same (RFC 8926), IPIP nothing more (RFC 2003), WireGuard 8 + 32 (WireGuard paper,
section 5.4.6), GRE 4."""

FLANNEL_UDP_OVERHEAD = 28
"""Outer IPv4 20 and UDP 8: flannel's udp backend carries the inner IP packet as it is (flannel, pkg/backend/udp)."""

AWS_LINK = pattern(r"eni[0-9a-f]{11}$")
BIRD = frozenset({"bird", "12", "80"})
"""Protocols of Calico's routes: BIRD's and Felix's (projectcalico/calico, felix/config DeviceRouteProtocol)."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What was concluded."""

    overlay: Overlay
    links: tuple[str, ...] = ()
    overhead: int = 0
    clues: tuple[str, ...] = ()


def crossing_of(
    node: NodeState,
    cluster: Cluster | None,
    *,
    cni: CniFacts | None,
    attachment: Attachment,
    owners: frozenset[str],
    pod_ranges: tuple[str, ...],
    own_ranges: tuple[str, ...],
) -> Crossing:
    """The first that has a witness: tunnel links, then agents' own links and rules, then files, then bare routes."""
    types = frozenset(cni.types) if cni is not None else frozenset()
    return (
        _cilium(node, owners, types)
        or _flannel_links(node)
        or _calico(node, owners, types)
        or _weave(node, owners, types)
        or _kube_router(node, owners)
        or _aws(node, owners, types)
        or _romana(node, owners, types)
        or _other_tunnels(node, owners)
        or _flannel_without_link(node, cluster, types, own_ranges)
        or _routes(node, cluster, attachment, pod_ranges, own_ranges)
    )


def _tunnel(link: Link) -> int:
    four, six = OVERHEAD.get(link.kind, (0, 0))
    over_six = any(
        ":" in link.options.get(key, "") for key in ("local", "remote", "local6", "group6", "remote6")
    )
    return six if over_six or "local6" in link.options else four


def _cilium(node: NodeState, owners: frozenset[str], types: frozenset[str]) -> Crossing | None:
    own = [link for link in node.links if link.name.startswith("cilium_")]
    if not own and "cilium" not in owners and "cilium-cni" not in types:
        return None
    tunnels = [link for link in own if link.kind in OVERHEAD]
    overhead = sum(_tunnel(link) for link in tunnels)
    if not own:
        return Crossing(
            Overlay.CILIUM, (), 0, ("cilium's rules or CNI file are there, its links were not seen",)
        )
    how = f"tunnels through {_names(tunnels)}" if tunnels else "without a tunnel (native routing)"
    return Crossing(Overlay.CILIUM, _sorted(own), overhead, (f"cilium: {_names(own)} are there; {how}",))


def _flannel_links(node: NodeState) -> Crossing | None:
    vxlan = [link for link in node.links if link.name.startswith("flannel") and link.kind == "vxlan"]
    if vxlan:
        first = vxlan[0]
        facts = ", ".join(
            f"{key} {first.options[key]}" for key in ("id", "port", "local") if key in first.options
        )
        return Crossing(
            Overlay.FLANNEL_VXLAN,
            _sorted(vxlan),
            _tunnel(first),
            (f"flannel over VXLAN: link {first.name}{f' ({facts})' if facts else ''}",),
        )
    wireguard = [link for link in node.links if link.name.startswith("flannel-wg")]
    if wireguard:
        clue = f"flannel over WireGuard: link {wireguard[0].name}; this overlay has no name of its own here"
        return Crossing(Overlay.UNKNOWN, _sorted(wireguard), _tunnel(wireguard[0]), (clue,))
    tun = node.link("flannel0")
    if tun is not None:
        clue = "flannel over UDP: link flannel0, a tun device"
        return Crossing(Overlay.FLANNEL_UDP, ("flannel0",), FLANNEL_UDP_OVERHEAD, (clue,))
    return None


def _calico(node: NodeState, owners: frozenset[str], types: frozenset[str]) -> Crossing | None:
    vxlan = [link for link in node.links if link.name in ("vxlan.calico", "vxlan-v6.calico")]
    if vxlan:
        clue = f"calico over VXLAN: link {vxlan[0].name}"
        return Crossing(Overlay.CALICO_VXLAN, _sorted(vxlan), max(map(_tunnel, vxlan)), (clue,))
    bird = [route for route in node.routes if route.protocol in BIRD]
    if not ({"calico"} & owners or "calico" in types or bird or _has_link(node, "cali")):
        return None
    through = [route for route in node.routes if _through(route, "tunl0")]
    tunnel = node.link("tunl0")
    # The kernel makes tunl0 when the module is loaded; Calico gives it an address when an IP pool uses IPIP
    # (projectcalico/calico, node/pkg/allocateip).
    if through or (tunnel is not None and tunnel.addresses):
        clue = f"calico over IPIP: {len(through)} routes and the address of tunl0"
        return Crossing(Overlay.CALICO_IPIP, ("tunl0",), 20, (clue,))
    if not node.routes:
        return Crossing(
            Overlay.UNKNOWN, (), 0, ("calico is at work; no route was seen that tells if it tunnels",)
        )
    secured = [link for link in node.links if link.name.startswith("wireguard.cali")]
    clue = f"calico without a tunnel: {len(bird)} routes of BIRD or Felix"
    return Crossing(Overlay.CALICO_BGP, _sorted(secured), max(map(_tunnel, secured), default=0), (clue,))


def _weave(node: NodeState, owners: frozenset[str], types: frozenset[str]) -> Crossing | None:
    own = [
        link
        for link in node.links
        if link.name in ("weave", "datapath") or link.name.startswith("vxlan-6784")
    ]
    if not own and "weave" not in owners and "weave-net" not in types:
        return None
    clue = f"weave: {_names(own)}" if own else "weave's chains or CNI file are there; its links were not seen"
    return Crossing(Overlay.WEAVE, _sorted(own), OVERHEAD["vxlan"][0], (clue,))


def _kube_router(node: NodeState, owners: frozenset[str]) -> Crossing | None:
    tunnels = [
        link for link in node.links if link.name.startswith("tun-") and link.kind in ("ipip", "ip6tnl")
    ]
    if node.link("kube-bridge") is None and "kube-router" not in owners:
        return None
    clue = f"kube-router: its chains or kube-bridge are there; {len(tunnels)} tunnels to other nodes"
    return Crossing(Overlay.KUBE_ROUTER, _sorted(tunnels), max(map(_tunnel, tunnels), default=0), (clue,))


def _aws(node: NodeState, owners: frozenset[str], types: frozenset[str]) -> Crossing | None:
    links = [link for link in node.links if AWS_LINK.match(link.name)]
    # 512 `to POD lookup main` and 1536 `from POD lookup N` are the plugin's (aws/amazon-vpc-cni-k8s, docs/cni-proposal.md).
    rules = [rule for rule in node.policy_rules if rule.preference in (512, 1536)]
    if not ("aws-cni" in types or "aws-vpc-cni" in owners or (links and rules)):
        return None
    clue = f"AWS VPC CNI: {len(links)} eni links, {len(rules)} policy rules at 512 and 1536; pods have VPC addresses"
    return Crossing(Overlay.AWS_VPC, (), 0, (clue,))


def _romana(node: NodeState, owners: frozenset[str], types: frozenset[str]) -> Crossing | None:
    if node.link("romana-lo") is None and "romana" not in owners and "romana" not in types:
        return None
    return Crossing(Overlay.ROMANA, (), 0, ("romana: its link, chains or CNI file are there",))


def _other_tunnels(node: NodeState, owners: frozenset[str]) -> Crossing | None:
    for owner in ("antrea", "ovn-kubernetes", "openshift-sdn", "kindnet"):
        if owner in owners and owner != "kindnet":
            tunnels = [link for link in node.links if link.kind in OVERHEAD]
            overhead = max(map(_tunnel, tunnels), default=0)
            return Crossing(
                Overlay.UNKNOWN, _sorted(tunnels), overhead, (f"{owner} is at work; its way is not modelled",)
            )
    return None


def _flannel_without_link(
    node: NodeState, cluster: Cluster | None, types: frozenset[str], own_ranges: tuple[str, ...]
) -> Crossing | None:
    env = flannel_ranges(node.files)
    told = flannel_network(cluster)
    if env is None and "flannel" not in types:
        return None
    wide = env[0] if env is not None else ()
    wide += told.networks if told is not None else ()
    direct = _to_other_nodes(node, wide, own_ranges)
    if told is not None and told.backend in ("vxlan", "udp"):
        overlay = Overlay.FLANNEL_VXLAN if told.backend == "vxlan" else Overlay.FLANNEL_UDP
        clue = f"kube-flannel-cfg asks for the backend {told.backend}, and its link was not seen on the node"
        return Crossing(overlay, (), 50 if told.backend == "vxlan" else FLANNEL_UDP_OVERHEAD, (clue,))
    if direct or (told is not None and told.backend == "host-gw"):
        clue = f"flannel without a tunnel (host-gw): {len(direct)} routes to other nodes' subnets by their addresses"
        return Crossing(Overlay.FLANNEL_HOST_GW, (), 0, (clue,))
    return Crossing(
        Overlay.UNKNOWN, (), 0, ("flannel is configured; neither its link nor its routes were seen",)
    )


def _routes(
    node: NodeState,
    cluster: Cluster | None,
    attachment: Attachment,
    pod_ranges: tuple[str, ...],
    own_ranges: tuple[str, ...],
) -> Crossing:
    others = (
        tuple(c for n in cluster.nodes if n.name != node.name for c in n.pod_cidrs)
        if cluster is not None
        else ()
    )
    direct = _to_other_nodes(node, (*pod_ranges, *others), own_ranges)
    if direct:
        first = direct[0]
        clue = f"{len(direct)} plain routes to other nodes' subnets, like {first.prefix} via {first.nexthops[0].via}"
        return Crossing(Overlay.HOST_ROUTES, (), 0, (clue,))
    if node.gap("routes") is not None or node.gap("links") is not None:
        return Crossing(
            Overlay.UNKNOWN, (), 0, ("the way between nodes is not known: routes or links were not read",)
        )
    if attachment.kind is PodAttachment.BRIDGE and (attachment.bridges or config_map(cluster, "kube-proxy")):
        clue = "pods hang on a bridge and no route leads to other nodes' subnets: the network outside carries them"
        return Crossing(Overlay.CLOUD_ROUTES, (), 0, (clue,))
    if attachment.kind is PodAttachment.NONE:
        return Crossing(
            Overlay.NONE,
            (),
            0,
            ("no pod link, pod bridge or CNI file: pods use the host's network, or none run",),
        )
    return Crossing(
        Overlay.UNKNOWN, (), 0, ("how pods reach other nodes cannot be told from links and routes",)
    )


def _to_other_nodes(node: NodeState, wide: tuple[str, ...], own: tuple[str, ...]) -> list[Route]:
    """Routes by gateway to a subnet of the pods' range that is not this node's."""
    return [
        route
        for route in node.routes
        if route.table == MAIN
        and route.type == "unicast"
        and route.nexthops
        and route.nexthops[0].via
        and not route.is_default
        and network(route.prefix) is not None
        and inside(route.prefix, wide)
        and not inside(route.prefix, own)
    ]


def _through(route: Route, link: str) -> bool:
    return any(hop.link == link for hop in route.nexthops)


def _has_link(node: NodeState, prefix: str) -> bool:
    return any(link.name.startswith(prefix) for link in node.links)


def _sorted(links: list[Link]) -> tuple[str, ...]:
    return tuple(sorted(link.name for link in links))


def _names(links: list[Link]) -> str:
    return ", ".join(_sorted(links))

"""How the pods' links meet the node: which links they are, and which bridges they hang on."""

from dataclasses import dataclass
from re import compile as pattern

from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.route import MAIN
from planner.models.topology import PodAttachment
from planner.parse.network_files import CniFacts
from planner.topology.prefixes import inside

POD_BRIDGES = ("cni0", "cbr0", "weave", "kube-bridge", "crio0", "cni-podman0")
"""Bridges that CNI networks make: bridge plugin, kubenet, weave, kube-router, CRI-O, podman."""

ROUTED_NAMES = pattern(
    r"cali[0-9a-f]{11}$|lxc[0-9a-f]{6,}$|eni[0-9a-f]{11}$|azv[0-9a-f]+$|gke[0-9a-f]+$|vlan.*\.eni"
)
"""Host sides that Calico, Cilium, the AWS, Azure and GKE plugins name themselves."""

DOCKER_BRIDGES = pattern(r"docker0$|docker_gwbridge$|br-[0-9a-f]{12}$")
NOT_PODS = ("vethwe-", "lxc_health", "lxcbr")
"""weave's own pair, cilium's health endpoint, LXC's bridge."""

ROUTED_PLUGINS = frozenset({"calico", "cilium-cni", "aws-cni", "ptp", "romana", "azure-vnet", "host-device"})
BRIDGED_PLUGINS = frozenset({"bridge", "flannel", "weave-net", "kubenet", "cnibr"})


@dataclass(frozen=True, slots=True)
class Attachment:
    """What was found."""

    kind: PodAttachment
    pod_links: tuple[str, ...]
    bridges: tuple[str, ...]
    clues: tuple[str, ...]


def attachment_of(node: NodeState, cni: CniFacts | None, own_ranges: tuple[str, ...]) -> Attachment:
    """From the links; from the CNI file where no pod's link is there."""
    routed_to = {
        hop.link
        for route in node.routes
        if route.type == "unicast" and route.table == MAIN and _one_host(route.prefix)
        for hop in route.nexthops
        if not hop.via
    } - {hop.link for route in node.routes if route.is_default for hop in route.nexthops}
    bridges = {
        link.name for link in node.links if link.kind == "bridge" and _carries_pods(link, cni, own_ranges)
    }
    bridged: list[str] = []
    routed: list[str] = []
    for link in node.links:
        if link.name.startswith(NOT_PODS) or link.name == "lo":
            continue
        named = ROUTED_NAMES.match(link.name) is not None
        if not named and link.kind != "veth":
            continue
        if link.master in bridges:
            bridged.append(link.name)
        elif not link.master and (named or (link.name in routed_to and _elsewhere(link))):
            routed.append(link.name)
    names = tuple(sorted((*bridged, *routed)))
    order = tuple(sorted(bridges))
    if bridged:
        clue = (
            f"{len(bridged)} pod links hang on {', '.join(sorted({_master(node, name) for name in bridged}))}"
        )
        return Attachment(PodAttachment.BRIDGE, names, order, (clue,))
    if routed:
        return Attachment(
            PodAttachment.ROUTED,
            names,
            order,
            (f"{len(routed)} pod links are routed one by one, like {routed[0]}",),
        )
    if bridges:
        return Attachment(
            PodAttachment.BRIDGE, (), order, (f"{order[0]} is a bridge for pods; none is on it now",)
        )
    kind, clue = _from_cni(cni)
    if kind is None:
        known = node.gap("links") is None and bool(node.links)
        kind = PodAttachment.NONE if known and cni is None else PodAttachment.UNKNOWN
    return Attachment(kind, (), (), (clue,) if clue else ())


def _carries_pods(link: Link, cni: CniFacts | None, own_ranges: tuple[str, ...]) -> bool:
    if link.name in POD_BRIDGES or (cni is not None and cni.bridge and link.name == cni.bridge):
        return True
    if any(inside(address.address, own_ranges) for address in link.addresses):
        return True
    return False if DOCKER_BRIDGES.match(link.name) else link.name.startswith(("cni-", "cni_"))


def _elsewhere(link: Link) -> bool:
    return link.peer_elsewhere or not link.lower


def _one_host(prefix: str) -> bool:
    return prefix.endswith(("/32", "/128"))


def _master(node: NodeState, name: str) -> str:
    link = node.link(name)
    return link.master if link is not None else ""


def _from_cni(cni: CniFacts | None) -> tuple[PodAttachment | None, str]:
    if cni is None:
        return None, ""
    first = cni.types[0]
    if first in ROUTED_PLUGINS:
        return PodAttachment.ROUTED, f"{cni.path} uses the plugin {first}, which routes each pod"
    if first in BRIDGED_PLUGINS:
        return PodAttachment.BRIDGE, f"{cni.path} uses the plugin {first}, which puts pods on a bridge"
    return PodAttachment.UNKNOWN, f"{cni.path} uses the plugin {first}, whose links are not known here"

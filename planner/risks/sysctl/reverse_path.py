"""What a stricter reverse path filter would drop on one link."""

from dataclasses import dataclass
from ipaddress import ip_network

from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.topology import Overlay
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review
from planner.risks.sysctl.context import acting, is_pod_link
from planner.sysctls.reach import unaddressed

BUILT_IN = frozenset({0, 32766, 32767})
"""Preferences of the policy rules that the kernel makes."""
REAL_KINDS = frozenset({"", "vlan", "bond", "team", "macvlan", "ipvlan", "ipoib"})
"""Kinds of link behind which other machines are; the empty one is a physical device."""
NOT_FOR_OTHERS = ("docker", "br-", "veth", "virbr", "dummy", "ifb", "nodelocaldns")
"""Links that programs make on the node for the node's own, by name, where the kind was not recorded."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost on a link, and why."""

    breaks: tuple[TrafficClass, ...]
    total: bool
    """For those flows; else only some of them."""
    why: str


def strictness(mode: int | None, *, bare: bool) -> int:
    """Ordered: 0 none, 1 loose, 2 strict. Loose is as good as strict on a link without an IPv4 address.

    net/ipv4/fib_frontend.c __fib_validate_source(): with another device on the way back, a link without address fails
    whenever the mode is not 0.
    """
    if not mode:
        return 0
    return 2 if mode == 1 or bare else 1


def tightened(review: Review, link: Link, after_mode: int | None = None) -> bool:
    """Whether the check on this link gets stricter."""
    bare = unaddressed(link)
    old = acting(review.before, link.name, "rp_filter")
    new = after_mode if after_mode is not None else acting(review.after, link.name, "rp_filter")
    return strictness(new, bare=bare) > strictness(old, bare=bare)


def loss(review: Review, link: Link, mode: int) -> Loss | None:
    """What the mode drops on this link; None when everything that is known to arrive there goes back the same way."""
    if link.master or link.name == "lo":
        return None  # a bridge port or bond member is not where the routing sees packets arrive
    strict = strictness(mode, bare=unaddressed(link)) == 2
    if is_pod_link(review, link.name):
        if strict and not _routed_back(review.after, link.name):
            return Loss(
                (
                    TrafficClass.POD_TO_EXTERNAL,
                    TrafficClass.POD_TO_POD_CROSS_NODE,
                    TrafficClass.KUBELET_PROBES,
                ),
                total=True,
                why="no route of the node leads back through the pod's link",
            )
        return None
    if not strict:
        return None
    return _uplink(review, link.name) if link.name in review.topology.uplinks else _side_door(review, link)


def _side_door(review: Review, link: Link) -> Loss | None:
    """A device with an address of its own and no gateway behind it: who comes in there from farther away is answered
    through the uplink. Whether somebody does is not known.
    """
    topology = review.topology
    inside = {*topology.overlay_links, *topology.bridges, *topology.pod_links}
    device = link.kind in REAL_KINDS and link.up and not link.name.startswith(NOT_FOR_OTHERS)
    addressed = any(item.family == "ip" and item.length < 31 for item in link.addresses)
    if not device or not addressed or link.name in inside or not topology.uplinks:
        return None
    return Loss(
        (TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
        total=False,
        why=f"answers to senders beyond its own prefix leave by {topology.uplinks[0]}",
    )


def _uplink(review: Review, name: str) -> Loss | None:
    others = [other for other in review.topology.uplinks if other != name]
    policies = _policies(review.after)
    if policies:
        return Loss(
            (TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
            total=True,
            why=f"policy rules send some sources through other tables ({policies}), and the way back is looked up after "
            f"the destination was translated",
        )
    if review.topology.overlay is Overlay.CILIUM:
        return Loss(
            (TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
            total=True,
            why="Cilium answers for services in eBPF, and the translated packet has no way back that the routing knows",
        )
    if others:
        return Loss(
            (
                TrafficClass.EXTERNAL_TO_NODEPORT_LB,
                TrafficClass.POD_TO_EXTERNAL,
                TrafficClass.NODE_MANAGEMENT,
            ),
            total=False,
            why=f"answers to some senders leave by {', '.join(others)}",
        )
    away = _elsewhere(review, name)
    if away:
        return Loss(
            (TrafficClass.EXTERNAL_TO_NODEPORT_LB, TrafficClass.POD_TO_EXTERNAL),
            total=False,
            why=f"the way back to {away} is another link",
        )
    return None


def _policies(state: NodeState) -> str:
    """Policy rules that look at the source or the mark, by preference."""
    found = [
        str(rule.preference)
        for rule in state.policy_rules
        if rule.family == "ip"
        and rule.preference not in BUILT_IN
        and (rule.source or rule.fwmark or rule.iif)
        and rule.table not in {"254", "255", "253"}
    ]
    return ", ".join(sorted(set(found), key=int)[:4])


def _elsewhere(review: Review, name: str) -> str:
    """A wide prefix beyond a gateway on another link that is neither the pods' nor an overlay's."""
    topology = review.topology
    inside = {*topology.overlay_links, *topology.bridges, *topology.pod_links, "lo", name}
    for route in review.after.routes:
        if (
            route.family != "ip"
            or route.type != "unicast"
            or route.table != "254"
            or route.prefix in topology.pod_ranges
        ):
            continue
        for hop in route.nexthops:
            if (
                hop.via
                and hop.link
                and hop.link not in inside
                and not hop.link.startswith(("docker", "br-", "veth"))
            ):
                return route.prefix
    return ""


def _routed_back(state: NodeState, link: str) -> bool:
    """Whether some host route leads through the link: what a routed network plugin installs for each pod."""
    return any(
        hop.link == link and ip_network(route.prefix, strict=False).prefixlen == 32
        for route in state.routes
        if route.family == "ip" and route.type == "unicast"
        for hop in route.nexthops
    )

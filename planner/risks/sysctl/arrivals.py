"""Who sends by a link: packets that may arrive there, with the source that the check of the way back looks at."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from planner.dataplane.lookup import Check, lookup, outside, reverse_path
from planner.dataplane.view import view_of
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.topology import Overlay
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review
from planner.risks.routes.prefixes import first_address
from planner.risks.routes.senders import pod_senders
from planner.risks.sysctl.context import is_pod_link
from planner.sysctls.reach import unaddressed

REAL_KINDS = frozenset({"", "vlan", "bond", "team", "macvlan", "ipvlan", "ipoib"})
"""Kinds of link behind which other machines are; the empty one is a physical device."""
NOT_FOR_OTHERS = ("docker", "br-", "veth", "virbr", "dummy", "ifb", "nodelocaldns")
"""Links that programs make on the node for the node's own, by name, where the kind was not recorded."""
POD_CLASSES = (
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.KUBELET_PROBES,
)
SOME_SENDERS = (
    TrafficClass.EXTERNAL_TO_NODEPORT_LB,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.NODE_MANAGEMENT,
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Packets of one kind that may arrive by a link."""

    source: str
    breaks: tuple[TrafficClass, ...]
    """What is lost when they are dropped."""
    total: bool
    """For those flows; else only some of them."""
    who: str = ""
    """The senders, in words."""
    destination: str = ""
    """After translation, where that is not the node itself."""
    out_link: str = ""

    def check(self, state: NodeState, link: str) -> Check:
        """What the link says to them."""
        return reverse_path(state, link, self.source, destination=self.destination, out_link=self.out_link)


def arrivals(review: Review, link: Link) -> Iterator[Arrival]:
    """By what the link is for; the worst loss first. None for links on which routing sees no packet arrive."""
    topology = review.topology
    if link.master or link.name == "lo":
        return  # what comes by a port of a bridge or bond, the routing sees arrive by the bridge or bond
    if is_pod_link(review, link.name):
        yield from _of_pods(review, link)
    elif link.name in topology.uplinks:
        yield from _of_services(review)
        if not unaddressed(link):
            yield Arrival(_world(review), SOME_SENDERS, total=False, who="some senders")
        yield from _of_others(review, link)
    elif _is_side_door(review, link):
        yield Arrival(
            _world(review),
            (TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
            total=False,
            who="senders beyond its own prefix",
        )


def _world(review: Review) -> str:
    return outside("ip", review.before, review.after)


def _of_pods(review: Review, link: Link) -> Iterator[Arrival]:
    """The pods behind it: those that a route leads to by it, else some pod of the node."""
    senders = pod_senders(review, "ip")
    behind = [sender.source for sender in senders if sender.link == link.name]
    for source in behind or [sender.source or _world(review) for sender in senders[:1]]:
        yield Arrival(source, POD_CLASSES, total=True, who="the pod")


def _of_services(review: Review) -> Iterator[Arrival]:
    """Clients of node ports: the way back is looked up for the pod that they were translated to."""
    world = _world(review)
    breaks = (TrafficClass.EXTERNAL_TO_NODEPORT_LB,)
    pods: set[str] = set()
    if view_of(review.after).fib("ip").has_custom_rules:
        # Only rules look at where the packet goes; without any, a pod's answers leave as the node's own do.
        pods |= {sender.source for sender in pod_senders(review, "ip")} - {""}
        pods |= {rule.source.split("/")[0] for rule in review.after.policy_rules if _is_host(rule.source)}
    for pod in sorted(pods):
        way = lookup(review.after, pod)
        if way.type == "unicast":
            yield Arrival(
                world, breaks, total=True, who=f"clients of a node port whose pod is {pod}",
                destination=pod, out_link=way.legs[0].link if way.legs else "",
            )  # fmt: skip
    if review.topology.overlay is Overlay.CILIUM:
        for sender in pod_senders(review, "ip")[:1]:
            if sender.source:
                # Services are translated in eBPF, before routing: packets arrive whose source the routing knows elsewhere.
                yield Arrival(
                    sender.source, breaks, total=True, who="services, which Cilium translates in eBPF,"
                )


def _is_host(source: str) -> bool:
    return bool(source) and ":" not in source and ip_network(source, strict=False).num_addresses == 1


def _of_others(review: Review, link: Link) -> Iterator[Arrival]:
    """Who lives behind another uplink, or behind a gateway there, and comes in here."""
    topology = review.topology
    inside = {*topology.overlay_links, *topology.bridges, *topology.pod_links, "lo", link.name}
    for other in review.after.links:
        if other.name == link.name or other.name not in topology.uplinks:
            continue
        for address in other.addresses:
            if address.family == "ip" and address.length < 31:
                near = first_address(address.prefix)
                yield Arrival(near, SOME_SENDERS, total=False, who=f"senders near {other.name}")
    for route in review.after.routes:
        if route.family != "ip" or route.type != "unicast" or route.prefix in topology.pod_ranges:
            continue
        if any(
            hop.via and hop.link not in inside and not hop.link.startswith(NOT_FOR_OTHERS)
            for hop in route.nexthops
        ):
            source = _world(review) if route.is_default else first_address(route.prefix)
            yield Arrival(
                source,
                (TrafficClass.EXTERNAL_TO_NODEPORT_LB, TrafficClass.POD_TO_EXTERNAL),
                total=False,
                who=f"senders in {route.prefix}" if not route.is_default else "some senders",
            )


def _is_side_door(review: Review, link: Link) -> bool:
    """A device with an address of its own and no gateway behind it. Whether somebody comes in there is not known."""
    topology = review.topology
    inside = {*topology.overlay_links, *topology.bridges, *topology.pod_links}
    device = link.kind in REAL_KINDS and link.up and not link.name.startswith(NOT_FOR_OTHERS)
    addressed = any(item.family == "ip" and item.length < 31 for item in link.addresses)
    return device and addressed and link.name not in inside and bool(topology.uplinks)

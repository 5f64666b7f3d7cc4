"""What a judge of sysctls asks about the node: values, effective values, and what part a link plays."""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.topology import Overlay, PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review
from planner.sysctls.catalogue import effective
from planner.sysctls.names import ALL, conf, link_key
from planner.sysctls.numbers import number

ROUTED_CLASSES = (
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.EXTERNAL_TO_NODEPORT_LB,
    TrafficClass.HOSTPORT,
    TrafficClass.DNS,
)
"""Everything that a node forwards between a pod and the world."""
NODE_CLASSES = (TrafficClass.NODE_TO_APISERVER, TrafficClass.NODE_MANAGEMENT, TrafficClass.HOST_EGRESS)
TUNNELS = frozenset(
    {
        Overlay.FLANNEL_VXLAN,
        Overlay.FLANNEL_UDP,
        Overlay.CALICO_IPIP,
        Overlay.CALICO_VXLAN,
        Overlay.WEAVE,
        Overlay.CILIUM,
    }
)


def value(state: NodeState, key: str) -> int | None:
    """A key's number; None when it does not exist or is none."""
    return number(state.sysctls.get(key))


def turned_off(change: SysctlChange) -> bool:
    """From any other number to 0."""
    return number(change.after) == 0 and number(change.before) not in {0, None}


def turned_on(change: SysctlChange) -> bool:
    """From 0 to any other number."""
    return number(change.before) == 0 and number(change.after) not in {0, None}


def link_of(change: SysctlChange) -> str:
    """The link, `all` or `default` that the key names; empty for other keys."""
    parts = link_key(change.key)
    return parts.link if parts is not None else ""


def acting(state: NodeState, link: str, knob: str, family: str = "ipv4") -> int | None:
    """The effective value of a knob on a link."""
    return number(effective(conf(family, link, knob), state.sysctls))


def links(state: NodeState) -> Iterator[Link]:
    """Every link but lo, by name."""
    yield from sorted((link for link in state.links if link.name != "lo"), key=lambda link: link.name)


def has_pods(review: Review) -> bool:
    """Whether pods with addresses of their own run here, or may; ignorance counts as yes."""
    topology = review.topology
    return not (
        topology.overlay is Overlay.NONE
        and topology.attachment in {PodAttachment.NONE, PodAttachment.UNKNOWN}
    )


def routed_classes(review: Review) -> tuple[TrafficClass, ...]:
    """What forwarding carries here: without a bridge between them also pods of the node itself."""
    if review.topology.attachment is PodAttachment.ROUTED:
        return (TrafficClass.POD_TO_POD_SAME_NODE, *ROUTED_CLASSES)
    return ROUTED_CLASSES


def is_pod_link(review: Review, link: str) -> bool:
    """Whether the host side of a pod's pair."""
    return link in review.topology.pod_links


def changed_links(review: Review, knob: str, family: str = "ipv4") -> tuple[str, ...]:
    """Links whose own value of a knob changes."""
    found = set()
    for change in review.changes:
        parts = link_key(change.key) if isinstance(change, SysctlChange) else None
        if (
            parts is not None
            and parts.real
            and (parts.family, parts.group, parts.knob) == (family, "conf", knob)
        ):
            found.add(parts.link)
    return tuple(sorted(found))


def newly_acting(review: Review, knob: str, family: str = "ipv4") -> tuple[tuple[str, int, int], ...]:
    """Links on which the effective value of a knob differs, with both values."""
    found = []
    for link in links(review.after):
        old, new = (
            acting(review.before, link.name, knob, family),
            acting(review.after, link.name, knob, family),
        )
        if old is not None and new is not None and old != new:
            found.append((link.name, old, new))
    return tuple(found)


def tells_it(change: SysctlChange, review: Review) -> bool:
    """Whether this is the change to hang a finding about all links on: `all` before the first changed link."""
    parts = link_key(change.key)
    if parts is None or not parts.real:
        return True
    everywhere = conf(parts.family, ALL, parts.knob)
    return not any(isinstance(other, SysctlChange) and other.key == everywhere for other in review.changes)


def families(review: Review) -> tuple[bool, bool]:
    """Whether pods have IPv4 and IPv6 addresses: from the pod ranges, else from the node's own global addresses."""
    ranges = review.topology.pod_ranges or review.topology.node_pod_ranges
    if ranges:
        return any(":" not in r for r in ranges), any(":" in r for r in ranges)
    return has_default(review.before, "ip"), bool(global_ipv6(review.before))


def has_default(state: NodeState, family: str) -> bool:
    """Whether there is a default route of that family (`ip` or `ip6`) that leads somewhere."""
    return any(
        route.family == family and route.is_default and route.type == "unicast" for route in state.routes
    )


def global_ipv6(state: NodeState) -> tuple[str, ...]:
    """IPv6 addresses that are more than link-local, as `eth0 2001:db8::1/64`."""
    return tuple(
        f"{link.name} {address.prefix}"
        for link in links(state)
        for address in link.addresses
        if address.family == "ip6" and address.scope == "global"
    )

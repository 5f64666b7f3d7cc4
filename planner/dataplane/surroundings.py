"""What decides about a packet before or beside rules and routes: the state of links, sizes, and what is not modelled."""

from planner.dataplane.query import Found
from planner.dataplane.routing import told
from planner.dataplane.walk import End, Walk
from planner.models.flow import Disposition, Flow
from planner.models.route import NextHop
from planner.sysctls.names import conf


def surroundings(walk: Walk, flow: Flow) -> End | None:
    """What is known to decide about packets and is not modelled."""
    view = walk.view
    entry = flow.entry
    for name in {entry.link, entry.bridge_port} - {""}:
        link = view.links.get(name)
        if link is None:
            return End(Disposition.UNKNOWN, f"there is no link {name} in the snapshot")
        if not link.up:
            return End(Disposition.UNKNOWN, f"{name} is down: nothing arrives by it")
        if link.xdp and (end := walk.doubt(f"an XDP program on {name} sees packets before the kernel does")):
            return end
        master = view.links.get(link.master)
        if (
            master is not None
            and master.kind == "vrf"
            and (end := walk.doubt(f"{name} belongs to a VRF, which is not modelled"))
        ):
            return end
    if {"cilium_host", "cilium_net"} & view.links.keys():
        return walk.doubt("Cilium's eBPF programs on the links decide before the kernel's routing and rules")
    # Tables of inet have hooks of links, too (nft(8), ingress).
    aside = view.native.aside(frozenset({"netdev", "inet"}), frozenset({"ingress", "egress"}))
    for base in aside:
        if end := walk.doubt(f"{base} is on a link, and not modelled"):
            return end
    return None


def refused_at_once(walk: Walk) -> End | None:
    """Packets of IPv6 that no hook sees."""
    packet, view = walk.packet, walk.view
    if packet.family == "ip":
        return None
    if view.value(conf("ipv6", packet.in_link, "disable_ipv6")):
        return End(Disposition.MARTIAN, f"IPv6 is turned off on {packet.in_link}")
    # net/ipv6/ip6_input.c, ip6_rcv_core.
    if packet.source >> 120 == 0xFF or 1 in {packet.source, packet.destination}:
        return End(Disposition.MARTIAN, "a multicast source, or a loopback address from outside")
    return None


def served(walk: Walk) -> End | None:
    """IPVS takes packets out of INPUT."""
    view, packet = walk.view, walk.packet
    if "kube-ipvs0" not in view.links or packet.local:
        return None
    own = view.links["kube-ipvs0"].addresses
    if (
        any(item.address == packet.address(packet.destination) for item in own)
        or 30000 <= (packet.destination_port or 0) <= 32767
    ):
        return walk.doubt("IPVS may send it on to an endpoint, which is not modelled")
    return None


def _limit(walk: Walk, found: Found, leg: NextHop) -> int:
    """Octets that fit: the route's own limit, else the link's."""
    # include/net/ip.h, ip_dst_mtu_maybe_forward; net/ipv6/route.c, ip6_dst_mtu_maybe_forward.
    if found.route is not None and found.route.mtu:
        return found.route.mtu
    link = walk.view.links.get(leg.link)
    own = walk.view.value(conf("ipv6", leg.link, "mtu")) if walk.packet.family == "ip6" else None
    return own or (link.mtu if link else 65535)


def too_big(walk: Walk, found: Found, leg: NextHop) -> End | None:
    """More than the link takes, and not to be cut."""
    packet = walk.packet
    most = _limit(walk, found, leg)
    if packet.length <= most or not packet.fragile:
        return None
    kind = "fragmentation-needed" if packet.family == "ip" else "packet-too-big"
    return End(
        Disposition.TOO_BIG, f"{packet.length} octets, and {leg.link} takes {most}", told(packet, kind)
    )

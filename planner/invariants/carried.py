"""Whether the overlay's own packets have a way: what a tunnel sends or gets arrives only inside them.

The outer packet is one of the node's own. That of vxlan is routed with the tunnel's link and address given, and an address that
the node does not have any more sends nothing (drivers/net/vxlan/vxlan_core.c, vxlan_xmit_one; net/ipv4/route.c,
ip_route_output_key_hash_rcu: __ip_dev_find). Which remote end is asked, the forwarding entry of the next hop's hardware address says.
"""

from dataclasses import dataclass

from planner.dataplane.packet import number, show
from planner.dataplane.query import LOOPBACK, Query
from planner.dataplane.source import select_address4
from planner.dataplane.trace import trace
from planner.dataplane.view import View
from planner.models.flow import Disposition, Entry, Flow, Trace
from planner.models.invariant import Holding
from planner.models.link import Link

ARRIVES = frozenset({Disposition.SENT, Disposition.DELIVERED, Disposition.BRIDGED})
TUNNELS = frozenset({"vxlan", "geneve", "ipip", "sit", "gre", "wireguard"})
UDP, IPIP = 17, 4
SOURCE_PORT = 40000
EVERYBODY = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True)
class Carrier:
    """What becomes of the outer packet where it does not certainly arrive."""

    holding: Holding
    reason: str
    trace: Trace


def is_tunnel(view: View, name: str) -> bool:
    """Whether packets leave by that link inside of others."""
    link = view.links.get(name)
    return link is not None and link.kind in TUNNELS


def carried_out(view: View, sent: Trace) -> Carrier | None:
    """Why what was sent by a tunnel does not get to the other end, None when it does or whose packets they are is not known."""
    link = view.links.get(sent.link)
    if sent.disposition is not Disposition.SENT or link is None:
        return None
    remote = _remote(view, link, sent.next_hop)
    local = _local(view, link, remote) if remote else ""
    if not local:
        return None
    outer = _outer(link, local, remote, Entry())
    found = trace(view.state, outer)
    words = f"{link.name} has no way for its own packets to {remote}"
    if not view.missing("links") and not _has(view, local):
        return Carrier(Holding.BROKEN, f"{words}: the node does not have their source {local}", found[0])
    below = view.links.get(link.lower)
    if below is not None and not below.up:
        return Carrier(Holding.BROKEN, f"{words}: {below.name} is down", found[0])
    for one in found:
        if one.disposition is Disposition.UNKNOWN:
            return Carrier(Holding.UNKNOWN, f"whether {link.name} has a way to {remote}: {one.reason}", one)
        if link.lower and (one.disposition is Disposition.NO_ROUTE or one.link not in {"", link.lower}):
            # With the link given, what has no route is taken to be on it (ip_route_output_key_hash_rcu).
            reason = f"{link.name} sends by {link.lower}, where no route leads to {remote}"
            return Carrier(Holding.UNKNOWN, reason, one)
        reason = lost_of(one)
        if not reason and one.link == link.name:
            reason = f"they would leave by {link.name} itself"
        if reason:
            return Carrier(Holding.BROKEN, f"{words}: {reason}", one)
    return None


def carried_in(view: View, flow: Flow) -> Carrier | None:
    """Why nothing comes out of the tunnel that a packet is said to enter by."""
    link = view.links.get(flow.entry.link)
    if link is None or link.kind not in {"vxlan", "ipip"}:
        return None
    query = Query(number(flow.source), iif=LOOPBACK, oif=link.name)
    legs = view.fib(flow.family).lookup(query, lambda _key, _reason: True).legs
    remote = next((end for leg in legs if (end := _remote(view, link, leg.via or flow.source))), "")
    remote = remote or next(
        (e.destination for e in view.state.fdb if e.link == link.name and e.destination), ""
    )
    local = link.options.get("local", "")
    if not remote or local in {"", "any"} or not link.lower or not _same_family(local, remote):
        return None
    entry = Entry(link=link.lower)
    words = f"nothing comes out of {link.name}: its packets from {remote} to {local}"
    outer = _outer(link, remote, local, entry)
    found = trace(view.state, outer)
    gone = gone_of(view, entry)
    if not gone and not view.missing("links") and not _has(view, local):
        gone = f"the node does not have {local}"
    if gone:
        return Carrier(Holding.BROKEN, f"{words} do not arrive: {gone}", found[0])
    for one in found:
        if one.disposition is Disposition.UNKNOWN:
            return Carrier(Holding.UNKNOWN, f"{words} may not arrive: {one.reason}", one)
        if one.disposition is not Disposition.DELIVERED:
            reason = lost_of(one) or f"they go on to {one.next_hop or one.link}"
            return Carrier(Holding.BROKEN, f"{words} do not arrive: {reason}", one)
    return None


def _remote(view: View, link: Link, next_hop: str) -> str:
    """The other end behind a next hop; empty where that is not known."""
    fixed = link.options.get("remote", "")
    if fixed not in {"", "any"}:
        return fixed
    if link.kind == "ipip":
        return next_hop
    if link.kind != "vxlan":
        return ""
    met = next((n.mac for n in view.state.neighbours if n.link == link.name and n.address == next_hop), "")
    ends = {e.mac: e.destination for e in view.state.fdb if e.link == link.name and e.destination}
    return ends.get(met, ends.get(EVERYBODY, "")) if met else ""


def _local(view: View, link: Link, remote: str) -> str:
    """The outer packet's source: the tunnel's own, else what the route says; empty where there is none of the family."""
    own = link.options.get("local", "")
    if own not in {"", "any"}:
        return own if _same_family(own, remote) else ""
    if ":" in remote:
        return ""
    found = view.fib("ip").lookup(Query(number(remote)), lambda _key, _reason: True)
    if found.route is not None and found.route.source:
        return found.route.source
    below = found.legs[0].link if found.legs else link.lower
    chosen = select_address4(view, below, number(remote))
    return show(chosen, "ip") if chosen is not None else ""


def _has(view: View, address: str) -> bool:
    return any(one.address == address for link in view.links.values() for one in link.addresses)


def _same_family(one: str, other: str) -> bool:
    return (":" in one) == (":" in other)


def _outer(link: Link, source: str, destination: str, entry: Entry) -> Flow:
    text = link.options.get("port", link.options.get("dstport", ""))
    port = int(text) if text.isdigit() else 8472
    vxlan = link.kind == "vxlan"
    return Flow(
        family="ip6" if ":" in source else "ip", protocol=UDP if vxlan else IPIP, source=source, destination=destination,
        source_port=SOURCE_PORT if vxlan else 0, destination_port=port if vxlan else 0, entry=entry,
    )  # fmt: skip


def gone_of(view: View, entry: Entry) -> str:
    """Where nothing can come from any more."""
    for name in (entry.link, entry.bridge_port):
        link = view.links.get(name)
        if name and link is None:
            return f"there is no link {name}" if not view.missing("links") else ""
        if link is not None and not link.up:
            return f"{name} is down"
    port = view.links.get(entry.bridge_port)
    if port is not None and port.master != entry.link:
        return f"{entry.bridge_port} is no port of {entry.link}"
    return ""


def lost_of(found: Trace) -> str:
    """Why a packet does not arrive anywhere; empty when it does."""
    if found.disposition in ARRIVES:
        silent = found.disposition is Disposition.SENT and found.reason
        return found.reason if silent else ""
    if found.reason.startswith(("-A ", "policy ")):
        return f"{found.disposition.value}: `{found.reason}`" if found.reason[0] == "-" else found.reason
    return f"{found.disposition.value}: {found.reason}" if found.reason else found.disposition.value

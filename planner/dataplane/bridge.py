"""Frames on a bridge: whether they are shown to netfilter, and by which port they leave (net/bridge/br_netfilter_hooks.c)."""

from dataclasses import replace

from planner.dataplane import gaps
from planner.dataplane.packet import Packet
from planner.dataplane.view import View
from planner.dataplane.walk import End, Walk
from planner.models.flow import Disposition


def is_bridge(view: View, link: str) -> bool:
    """Whether it is a bridge."""
    found = view.links.get(link)
    return found is not None and found.kind == "bridge"


def shows_frames(walk: Walk, bridge: str) -> bool:
    """Whether bridged IP packets go through the hooks of IP: for the namespace, or for this bridge."""
    view = walk.view
    name = "iptables" if walk.packet.family == "ip" else "ip6tables"
    key = f"net.bridge.bridge-nf-call-{name}"
    value = view.value(key)
    link = view.links.get(bridge)
    own = link is not None and link.options.get(f"nf_call_{name}") in {"1", "on"}
    if value is None and view.missing(f"{gaps.SYSCTLS}/{key}"):
        return walk.choices.undecided(key, f"{key} is not in the snapshot")
    # Without the key the module br_netfilter is not loaded, and nothing is shown.
    return value is not None and (value != 0 or own)


def port_of(view: View, bridge: str, address: str) -> str:
    """The port behind which an address is, by neighbour and forwarding entries; empty when not known."""
    macs = {
        n.mac.lower() for n in view.state.neighbours if n.address == address and n.link == bridge and n.mac
    }
    found = {
        entry.link
        for entry in view.state.fdb
        if entry.mac.lower() in macs and entry.link != bridge and view.links.get(entry.link)
        and view.links[entry.link].master == bridge and not _is_own(view, entry.link, entry.mac)
    }  # fmt: skip
    return found.pop() if len(found) == 1 else ""


def _is_own(view: View, link: str, mac: str) -> bool:
    """The port's own address, of which there is a permanent entry too."""
    return view.links[link].mac.lower() == mac.lower() and not view.links[link].peer_elsewhere


def leave(walk: Walk, bridge: str, port: str) -> End:
    """Out of the bridge by a port; back out of the one it came by only with hairpin."""
    view, packet = walk.view, walk.packet
    link = view.links.get(port)
    if port and port == packet.in_port and (link is None or link.options.get("hairpin") != "on"):
        reason = f"it would leave {bridge} by the port it came by, and hairpin of {port} is off"
        return End(Disposition.DROPPED, reason)
    if link is not None and not link.up:
        return End(Disposition.UNKNOWN, f"port {port} of {bridge} is down")
    return End(Disposition.BRIDGED, link=port, next_hop=packet.address(packet.destination), port=port)


def on_bridge(packet: Packet, bridge: str, port: str) -> Packet:
    """As netfilter sees a frame that crosses: the bridge on both sides, ports only as physdev."""
    return replace(packet, out_link=bridge, out_port=port, bridged=True)

"""Handed to the node's own programs: whether one listens."""

from planner.dataplane.packet import TCP, UDP, Packet, show
from planner.dataplane.view import View
from planner.models.node import Listener

NAMES = {TCP: "tcp", UDP: "udp"}


def listener(view: View, packet: Packet) -> str:
    """Who listens at the packet's destination; `nobody`; empty when the sockets are not known."""
    known = view.state.volatile.listeners
    name = NAMES.get(packet.protocol)
    if not known or name is None or view.missing("volatile/listeners") or packet.destination_port is None:
        return ""
    found = [item for item in known if _takes(item, name, packet)]
    if not found:
        return "nobody"
    best = min(found, key=lambda item: (item.address in {"0.0.0.0", "::", "*"}, item.address))  # noqa: S104 - compared
    return f"{best.process or 'a program'} on {best.address}:{best.port}"


def _takes(item: Listener, name: str, packet: Packet) -> bool:
    if item.protocol.rstrip("46") != name or item.port != packet.destination_port:
        return False
    address = item.address.partition("%")[0].strip("[]")
    # A socket of IPv6 on `::` takes IPv4 too, unless it says otherwise (ipv6(7), IPV6_V6ONLY).
    everywhere = {"ip": {"0.0.0.0", "*", "::"}, "ip6": {"*", "::"}}[packet.family]  # noqa: S104 - compared
    return address in everywhere or address == show(packet.destination, packet.family)

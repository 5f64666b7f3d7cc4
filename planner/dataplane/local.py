"""Handed to the node's own programs: whether one listens."""

from collections.abc import Sequence

from planner.dataplane.packet import TCP, UDP, Packet, show
from planner.dataplane.view import View
from planner.models.node import Listener

NAMES = {TCP: "tcp", UDP: "udp"}


def listener(view: View, packet: Packet) -> str:
    """Who listens at the packet's destination; `nobody`; empty when the sockets are not known."""
    known = () if view.missing("volatile/listeners") else view.state.volatile.listeners
    if packet.destination_port is None:
        return ""
    return heard_by(known, packet.protocol, show(packet.destination, packet.family), packet.destination_port)


def heard_by(known: Sequence[Listener], protocol: int, address: str, port: int) -> str:
    """Which of some sockets takes what comes to an address and port; `nobody`; empty when none of them is known."""
    name = NAMES.get(protocol)
    if not known or name is None:
        return ""
    found = [item for item in known if _takes(item, name, address, port)]
    if not found:
        return "nobody"
    best = min(found, key=lambda item: (item.address in {"0.0.0.0", "::", "*"}, item.address))  # noqa: S104 - compared
    return f"{best.process or 'a program'} on {best.address}:{best.port}"


def _takes(item: Listener, name: str, address: str, port: int) -> bool:
    if item.protocol.rstrip("46") != name or item.port != port:
        return False
    own = item.address.partition("%")[0].strip("[]")
    # A socket of IPv6 on `::` takes IPv4 too, unless it says otherwise (ipv6(7), IPV6_V6ONLY).
    everywhere = {"*", "::"} if ":" in address else {"0.0.0.0", "*", "::"}  # noqa: S104 - compared
    return own in everywhere or own == address

"""What is at the other ends of a stage's links: neighbours that answer, tunnels, and copies of what is delivered."""

import os
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Self

from planner.dataplane.local import heard_by
from planner.models.link import Link
from planner.models.node import Listener, NodeState
from planner.rehearse.frames import (
    IPV4,
    IPV6,
    UDP,
    Frame,
    Packet,
    arp_answer,
    arp_target,
    build,
    ethernet,
    mac_bytes,
    mac_text,
    neighbour_answer,
    parse,
    parse_frame,
    parse_transport,
)
from planner.rehearse.stage import Stage

VXLAN_HEADER = 8
VALID_ID = 0x08000000
"""Flags of a vxlan header whose network number counts (RFC 7348, 5)."""
ADDRESS = 16
"""Octets of an IPv6 address."""
UDP_OF_IPV4 = 28
SOURCE_PORT = 54321
FIRST_COLONS = 5


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that the kernel let out."""

    link: str
    """Empty for a packet that was delivered to the node itself."""
    packet: Packet
    frame: Frame | None = None


def mac_of(address: str) -> str:
    """The hardware address at which whoever has that address answers: made of it, so that it is known again."""
    return mac_text(b"\x06" + sha256(ip_address(address).packed).digest()[:5])


class Wires:
    """The surroundings of a stage in one of its states."""

    def __init__(self, stage: Stage, state: NodeState, listeners: Sequence[Listener] = ()) -> None:
        """`listeners`: the node's sockets, which a stage has not."""
        self._stage = stage
        self._listeners = listeners
        self.links = {link.name: link for link in state.links}
        self.uplinks = {hop.link for route in state.routes if route.is_default for hop in route.nexthops}
        """Links with a default route."""
        self._ethernet = {name for name, link in self.links.items() if link.mac.count(":") >= FIRST_COLONS}
        self._tunnels = {link.name: link for link in state.links if link.kind == "vxlan"}
        self._behind: dict[str, str] = {}
        self._last_port = {bridge: port for port in stage.taps if (bridge := self.master(port))}
        self._open = select.poll()
        self._names = {file: name for name, file in stage.taps.items()}
        for file in self._names:
            self._open.register(file, select.POLLIN)
        self._receivers: list[socket.socket] = []

    def __enter__(self) -> Self:
        for family in (socket.AF_INET, socket.AF_INET6):
            icmp = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
            for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP, icmp):
                with suppress(OSError):
                    self._receivers.append(_receiver(self._stage, family, protocol))
        return self

    def __exit__(self, *_: object) -> None:
        for receiver in self._receivers:
            receiver.close()

    def heard_by(self, packet: Packet) -> str:
        """Which program of the node takes what is delivered to it; `nobody`; empty when that is not known."""
        return heard_by(self._listeners, packet.protocol, packet.destination, packet.destination_port)

    def put_behind(self, address: str, port: str) -> None:
        """From now on that address answers behind this port of its bridge."""
        self._behind[address] = port

    def master(self, link: str) -> str:
        """The bridge that a link is a port of, else an empty string."""
        found = self.links.get(link)
        above = self.links.get(found.master) if found is not None and found.master else None
        return above.name if above is not None and above.kind == "bridge" else ""

    def reaches(self, link: str) -> bool:
        """Whether a packet can be sent in by that link."""
        tunnel = self._tunnels.get(link)
        return link in self._stage.taps or (tunnel is not None and self._lower(tunnel) in self._stage.taps)

    def arrive(self, link: str, packet: Packet, *, source_mac: str, to: str = "") -> None:
        """Let a packet arrive by a link, by a port of a bridge or through a tunnel."""
        kind = IPV6 if packet.family == "ip6" else IPV4
        tunnel = self._tunnels.get(link)
        target = mac_bytes(to or self.links[self.master(link) or link].mac or "00:00:00:00:00:00")
        frame = ethernet(target, mac_bytes(source_mac), kind, build(packet))
        if tunnel is not None and link not in self._stage.taps:
            lower = self._lower(tunnel)
            local = self._local(tunnel)
            head = VALID_ID.to_bytes(4, "big") + (int(tunnel.options.get("id", "1")) << 8).to_bytes(4, "big")
            outer = Packet(
                self._beyond(tunnel, local),
                local,
                UDP,
                source_port=SOURCE_PORT,
                destination_port=_port(tunnel),
                body=head + frame,
            )
            self.arrive(lower, outer, source_mac=mac_of(outer.source))
            return
        self._write(link, frame if link in self._ethernet else build(packet))

    def _write(self, link: str, data: bytes) -> None:
        # A link that is down takes nothing (EIO): what is sent there is lost, as on a cable.
        with suppress(OSError):
            os.write(self._stage.taps[link], data)

    def _lower(self, tunnel: Link) -> str:
        return tunnel.lower or tunnel.options.get("link", "") or tunnel.options.get("dev", "")

    def _local(self, tunnel: Link) -> str:
        own = tunnel.options.get("local", "")
        if own:
            return own
        lower = self.links.get(self._lower(tunnel))
        return next((one.address for one in lower.addresses if one.family == "ip"), "") if lower else ""

    def _beyond(self, tunnel: Link, local: str) -> str:
        """Another node's end of the tunnel: one that the forwarding table names, else a neighbour."""
        named = (
            entry.destination
            for entry in self._stage.original.fdb
            if entry.link == tunnel.name and "." in entry.destination
        )
        return next(named, str(ip_address(int(ip_address(local)) ^ 1)))

    def drain(self) -> list[Event]:
        """Everything that the kernel has let out; who is asked for answers, until there are no more questions."""
        events: list[Event] = []
        again = True
        while again:
            again = False
            # Of a thousand links most have nothing to say: they are asked all at once.
            ready = {file for file, _ in self._open.poll(0)}
            for file in (file for file in self._names if file in ready):
                with suppress(BlockingIOError, OSError):
                    while data := os.read(file, 65536):
                        again |= self._read(self._names[file], data, events)
        for receiver in self._receivers:
            with suppress(BlockingIOError):
                while True:
                    events.extend(_received(receiver))
        return events

    def _read(self, name: str, data: bytes, events: list[Event]) -> bool:
        """Take one frame; true when it was answered, so that more may come."""
        if name not in self._ethernet:
            packet = parse(data)
            events.extend([Event(name, packet)] if packet is not None else [])
            return False
        frame = parse_frame(data)
        target = arp_target(frame)
        if target:
            return self._answered(name, target, arp_answer(frame, mac_bytes(mac_of(target))))
        packet = parse(frame.body) if frame.kind in {IPV4, IPV6} else None
        if packet is None:
            return False
        # One that asks for nobody is no question of the kernel, but the packet of a path (`neighbours-are-found`).
        asks = packet.protocol == socket.IPPROTO_ICMPV6 and packet.icmp_type == 135
        if asks and len(packet.body) >= ADDRESS:
            target = str(ip_address(packet.body[:16]))
            answer = neighbour_answer(frame, packet, mac_bytes(mac_of(target)))
            return packet.source != "::" and self._answered(name, target, answer)
        events.extend(self._unpacked(name, packet, frame))
        return False

    def _answered(self, name: str, target: str, answer: bytes) -> bool:
        """A question on a bridge is heard at every port, and answered at one."""
        bridge = self.master(name)
        if bridge and name != self._behind.get(target, self._last_port[bridge]):
            return False
        self._write(name, answer)
        return True

    def _unpacked(self, name: str, packet: Packet, frame: Frame) -> Iterator[Event]:
        for tunnel in self._tunnels.values():
            if (
                packet.protocol == UDP
                and packet.destination_port == _port(tunnel)
                and self._lower(tunnel) == name
            ):
                inner_frame = parse_frame(frame.body[UDP_OF_IPV4 + VXLAN_HEADER :])
                inner = parse(inner_frame.body) if inner_frame.kind in {IPV4, IPV6} else None
                if inner is not None:
                    yield Event(tunnel.name, inner, inner_frame)
        yield Event(name, packet, frame)


def _port(tunnel: Link) -> int:
    text = tunnel.options.get("port", "")
    return int(text) if text.isdigit() else 8472


def _receiver(stage: Stage, family: int, protocol: int) -> socket.socket:
    """A raw socket: it gets a copy of what passed INPUT, and the protocol's own handler gets the packet too."""
    receiver = stage.socket(family, socket.SOCK_RAW, protocol)
    if family == socket.AF_INET6:
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    receiver.setblocking(False)
    return receiver


def _received(receiver: socket.socket) -> Iterator[Event]:
    data, notes, _, peer = receiver.recvmsg(65536, 512)
    if receiver.family == socket.AF_INET:
        packet = parse(data)
        if packet is not None:
            yield Event("", packet)
        return
    # Of IPv6 a raw socket gives the payload only; whom it was for is told beside it (ipv6(7)).
    for level, kind, value in notes:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            head = Packet(peer[0].partition("%")[0], str(ip_address(value[:16])), receiver.proto)
            yield Event("", parse_transport(head, data))

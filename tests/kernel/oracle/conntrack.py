"""Connection tracking by raw netlink: entries made and all entries removed, without a process for each."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from oracle.frames import ICMP, ICMP6, TCP, Packet

NETLINK_NETFILTER = 12
REQUEST_AND_ACK, CREATE, REQUEST_AND_DUMP = 0x5, 0x400, 0x301
DONE = 3
# linux/netfilter/nfnetlink_conntrack.h
NEW, GET, DELETE = 1 << 8, 1 << 8 | 1, 1 << 8 | 2
ORIGINAL, REPLY, STATUS, PROTOINFO, TIMEOUT, MARK = 1, 2, 3, 4, 7, 8
SEEN_REPLY, ASSURED, CONFIRMED = 2, 4, 8
NESTED = 0x8000
ESTABLISHED, LIBERAL = 3, 8
ECHO = {8: 0, 128: 129}


@dataclass(frozen=True, slots=True)
class Ends:
    """One direction of a connection: addresses and ports (0 where the protocol has none)."""

    source: str
    destination: str
    source_port: int
    destination_port: int


@dataclass(frozen=True, slots=True)
class Connection:
    """One entry of the table."""

    protocol: int
    original: Ends
    reply: Ends
    """The direction of answers, as they must look when they arrive."""
    mark: int
    answered: bool
    """Both directions have been seen."""


class Conntrack:
    """The table of one namespace. To be made inside it."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))

    def close(self) -> None:
        self.socket.close()

    def flush(self) -> None:
        """Forget every connection."""
        self._ask(DELETE, 0, socket.AF_UNSPEC, b"")

    def establish(self, packet: Packet, *, mark: int = 0) -> None:
        """A connection whose original direction the packet belongs to, and that has seen both directions."""
        body = _attribute(ORIGINAL, _tuple(packet, reply=False), nested=True)
        body += _attribute(REPLY, _tuple(packet, reply=True), nested=True)
        body += _attribute(STATUS, struct.pack("!I", SEEN_REPLY | ASSURED | CONFIRMED))
        body += _attribute(TIMEOUT, struct.pack("!I", 600))
        if mark:
            body += _attribute(MARK, struct.pack("!I", mark))
        if packet.protocol == TCP:
            # No window is known: the checks of sequence numbers would call the first segment invalid.
            flags = _attribute(4, bytes((LIBERAL, LIBERAL))) + _attribute(5, bytes((LIBERAL, LIBERAL)))
            state = _attribute(1, bytes((ESTABLISHED,))) + flags
            body += _attribute(PROTOINFO, _attribute(1, state, nested=True), nested=True)
        family = socket.AF_INET6 if packet.family == "ip6" else socket.AF_INET
        self._ask(NEW, CREATE, family, body)

    def entries(self) -> tuple[Connection, ...]:
        """What the table holds, both families."""
        body = struct.pack("!BBH", socket.AF_UNSPEC, 0, 0)
        self.socket.send(struct.pack("=IHHII", 16 + len(body), GET, REQUEST_AND_DUMP, 1, 0) + body)
        found: list[Connection] = []
        while True:
            data = self.socket.recv(65536)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                if kind == DONE:
                    return tuple(found)
                found.append(_connection(data[20:size]))
                data = data[(size + 3) & ~3 :]

    def _ask(self, kind: int, flags: int, family: int, body: bytes) -> None:
        message = struct.pack("!BBH", family, 0, 0) + body
        header = struct.pack("=IHHII", 16 + len(message), kind, REQUEST_AND_ACK | flags, 1, 0)
        self.socket.send(header + message)
        answer = self.socket.recv(8192)
        (error,) = struct.unpack_from("=i", answer, 16)
        # Removing all from an empty table is no error; a table that nothing uses is no table.
        if error:
            raise OSError(-error, f"conntrack message {kind:#x} refused")


def _attribute(kind: int, body: bytes, *, nested: bool = False) -> bytes:
    size = 4 + len(body)
    return struct.pack("=HH", size, kind | (NESTED if nested else 0)) + body + bytes(-size % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & ~NESTED, data[4:size]
        data = data[(size + 3) & ~3 :]


def _connection(data: bytes) -> Connection:
    parts = dict(_attributes(data))
    protocol, original = _ends(parts[ORIGINAL])
    _, reply = _ends(parts[REPLY])
    status = int.from_bytes(parts.get(STATUS, b""), "big")
    return Connection(
        protocol, original, reply, int.from_bytes(parts.get(MARK, b""), "big"), bool(status & SEEN_REPLY)
    )


def _ends(data: bytes) -> tuple[int, Ends]:
    parts = dict(_attributes(data))
    addresses, transport = dict(_attributes(parts[1])), dict(_attributes(parts[2]))
    base = 1 if 1 in addresses else 3
    source, destination = (str(ip_address(addresses[base + n])) for n in (0, 1))
    ports = [int.from_bytes(transport.get(n, b""), "big") for n in (2, 3)]
    return transport[1][0], Ends(source, destination, *ports)


def _tuple(packet: Packet, *, reply: bool) -> bytes:
    source, destination = ip_address(packet.source).packed, ip_address(packet.destination).packed
    ports = packet.source_port, packet.destination_port
    if reply:
        source, destination, ports = destination, source, ports[::-1]
    base = 1 if packet.family == "ip" else 3
    addresses = _attribute(base, source) + _attribute(base + 1, destination)
    proto = _attribute(1, bytes((packet.protocol,)))
    if packet.protocol in {ICMP, ICMP6}:
        base = 4 if packet.protocol == ICMP else 7
        kind = ECHO[packet.icmp_type] if reply else packet.icmp_type
        proto += _attribute(base, struct.pack("!H", packet.identifier))
        proto += _attribute(base + 1, bytes((kind,))) + _attribute(base + 2, bytes((packet.icmp_code,)))
    else:
        proto += _attribute(2, struct.pack("!H", ports[0])) + _attribute(3, struct.pack("!H", ports[1]))
    return _attribute(1, addresses, nested=True) + _attribute(2, proto, nested=True)

"""Packets as bytes: built with right checksums, and read back."""

import struct
from dataclasses import dataclass, replace
from ipaddress import ip_address

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
ICMP, TCP, UDP, SCTP, ICMP6, FRAGMENT = 1, 6, 17, 132, 58, 44
SYN, RST, ACK = 2, 4, 16
ERRORS = {"ip": frozenset({3, 4, 5, 11, 12}), "ip6": frozenset({1, 2, 3, 4})}
"""ICMP types that carry the packet they are about."""
HEADER = {"ip": 20, "ip6": 40}
TRANSPORT = {TCP: 20, UDP: 8, ICMP: 8, ICMP6: 8, SCTP: 12}


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet as far as the judge looks at it."""

    source: str
    destination: str
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int = 0
    icmp_code: int = 0
    tcp_flags: int = 0
    hop_limit: int = 64
    tos: int = 0
    length: int = 0
    tag: int = 0
    """Finds a probe again: IPv4 identification, IPv6 flow label."""
    sequence: int = 0
    """Of TCP; of an ICMP echo."""
    acknowledged: int = 0
    identifier: int = 0
    """Of an ICMP echo; the MTU of a `too big`."""
    body: bytes = b""
    inner: "Packet | None" = None
    """What an ICMP error is about."""
    dont_fragment: bool = True
    bad_checksum: bool = False

    @property
    def family(self) -> str:
        """`ip` or `ip6`."""
        return "ip6" if ":" in self.source else "ip"

    @property
    def is_error(self) -> bool:
        """Whether it tells of another packet."""
        return self.protocol in {ICMP, ICMP6} and self.icmp_type in ERRORS[self.family]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def build(packet: Packet) -> bytes:
    """The packet as an IP datagram of `length` bytes, or as short as it can be."""
    source, destination = ip_address(packet.source).packed, ip_address(packet.destination).packed
    header = HEADER[packet.family]
    body = _transport(packet)
    if packet.inner is None or packet.length:
        body = body.ljust(packet.length - header, b"\0")
    at = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}.get(packet.protocol)
    if at is not None:
        pseudo = source + destination + struct.pack("!II", len(body), packet.protocol)
        value = checksum(body if packet.protocol == ICMP else pseudo + body)
        if packet.bad_checksum:
            value ^= 0x5555
        body = (
            body[:at] + struct.pack("!H", value or (0xFFFF if packet.protocol == UDP else 0)) + body[at + 2 :]
        )
    if packet.family == "ip6":
        first = 6 << 28 | packet.tos << 20 | packet.tag & 0xFFFFF
        return (
            struct.pack("!IHBB", first, len(body), packet.protocol, packet.hop_limit)
            + source
            + destination
            + body
        )
    fixed = struct.pack(
        "!BBHHHBBH",
        0x45,
        packet.tos,
        header + len(body),
        packet.tag & 0xFFFF,
        0x4000 if packet.dont_fragment else 0,
        packet.hop_limit,
        packet.protocol,
        0,
    )
    total = checksum(fixed + source + destination)
    return fixed[:10] + struct.pack("!H", total) + source + destination + body


def _transport(packet: Packet) -> bytes:
    ports = struct.pack("!HH", packet.source_port, packet.destination_port)
    match packet.protocol:
        case 6:
            numbers = struct.pack("!II", packet.sequence, packet.acknowledged)
            return ports + numbers + struct.pack("!BBHHH", 5 << 4, packet.tcp_flags, 8192, 0, 0) + packet.body
        case 17:
            length = max(8 + len(packet.body), packet.length - HEADER[packet.family])
            return ports + struct.pack("!HH", length, 0) + packet.body
        case 1 | 58:
            kind = struct.pack("!BBH", packet.icmp_type, packet.icmp_code, 0)
            rest = struct.pack("!HH", packet.identifier, packet.sequence & 0xFFFF)
            about = build(packet.inner) if packet.inner else packet.body
            return kind + rest + about
        case 132:
            return ports + struct.pack("!II", packet.sequence, 0) + packet.body
        case _:
            return packet.body or bytes(4)


def parse(data: bytes) -> Packet | None:
    """An IP datagram, or the beginning of one inside an ICMP error. None for what is none."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        size = (data[0] & 15) * 4
        packet = Packet(
            source=str(ip_address(data[12:16])),
            destination=str(ip_address(data[16:20])),
            protocol=data[9],
            hop_limit=data[8],
            tos=data[1],
            length=int.from_bytes(data[2:4], "big"),
            tag=int.from_bytes(data[4:6], "big"),
        )
        return parse_transport(packet, data[size : max(packet.length, size)])
    if len(data) >= 40 and data[0] >> 4 == 6:
        first = int.from_bytes(data[:4], "big")
        packet = Packet(
            source=str(ip_address(data[8:24])),
            destination=str(ip_address(data[24:40])),
            protocol=data[6],
            hop_limit=data[7],
            tos=first >> 20 & 0xFF,
            length=40 + int.from_bytes(data[4:6], "big"),
            tag=first & 0xFFFFF,
        )
        body = data[40 : packet.length]
        if packet.protocol == FRAGMENT and int.from_bytes(body[2:4], "big") < 8:
            # The first piece holds the header of the whole.
            packet, body = replace(packet, protocol=body[0]), body[8:]
        return parse_transport(packet, body)
    return None


def parse_transport(packet: Packet, data: bytes) -> Packet:
    """The packet with what its transport header says; a header that is cut gives what is there."""
    if packet.protocol in {TCP, UDP, SCTP} and len(data) >= 8:
        source_port, destination_port, sequence = struct.unpack("!HHI", data[:8])
        found = replace(packet, source_port=source_port, destination_port=destination_port, body=data[8:])
        if packet.protocol == TCP:
            found = replace(found, sequence=sequence, body=data[20:])
            if len(data) >= 20:
                return replace(
                    found,
                    acknowledged=int.from_bytes(data[8:12], "big"),
                    tcp_flags=data[13],
                    body=data[(data[12] >> 4) * 4 :],
                )
        return found
    if packet.protocol in {ICMP, ICMP6} and len(data) >= 8:
        found = replace(
            packet,
            icmp_type=data[0],
            icmp_code=data[1],
            identifier=int.from_bytes(data[4:6], "big"),
            sequence=int.from_bytes(data[6:8], "big"),
            body=data[8:],
        )
        return replace(found, inner=parse(data[8:])) if found.is_error else found
    return replace(packet, body=data)


def ethernet(destination: bytes, source: bytes, kind: int, body: bytes) -> bytes:
    """An Ethernet frame as bytes."""
    return destination + source + struct.pack("!H", kind) + body


@dataclass(frozen=True, slots=True)
class Frame:
    """An Ethernet frame."""

    destination: bytes
    source: bytes
    kind: int
    body: bytes


def parse_frame(data: bytes) -> Frame:
    """The frame that the bytes are."""
    return Frame(data[:6], data[6:12], int.from_bytes(data[12:14], "big"), data[14:])


def mac_bytes(text: str) -> bytes:
    """`52:54:00:00:00:01` as bytes."""
    return bytes.fromhex(text.replace(":", ""))


def mac_text(mac: bytes) -> str:
    """The bytes as `52:54:00:00:00:01`."""
    return ":".join(f"{byte:02x}" for byte in mac)


def arp_answer(question: Frame, mac: bytes) -> bytes:
    """The reply to an ARP request: the address asked for is at `mac` (RFC 826)."""
    asker, asked = question.body[8:18], question.body[24:28]
    body = struct.pack("!HHBBH", 1, IPV4, 6, 4, 2) + mac + asked + asker
    return ethernet(question.source, mac, ARP, body)


def arp_target(frame: Frame) -> str:
    """The address that an ARP request asks for, or an empty string."""
    return str(ip_address(frame.body[24:28])) if frame.kind == ARP and frame.body[7:8] == b"\x01" else ""


def neighbour_answer(question: Frame, packet: Packet, mac: bytes) -> bytes:
    """The advertisement that answers a neighbour solicitation: the address asked for is at `mac` (RFC 4861, 4.4)."""
    target = packet.body[:16]
    told = Packet(
        source=str(ip_address(target)),
        destination=packet.source,
        protocol=ICMP6,
        icmp_type=136,
        hop_limit=255,
        # Solicited, and to override what is known; then the target and its link-layer address.
        identifier=0x6000,
        body=target + bytes((2, 1)) + mac,
    )
    return ethernet(question.source, mac, IPV6, build(told))

"""A namespace whose links end in this process: what is written into one has crossed the whole kernel when `write` returns."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from namespace import Namespace

from oracle.conntrack import Conntrack
from oracle.frames import (
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

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETCARRIER = 0x400454CA, 0x400454E2
IFF_TUN, IFF_TAP, IFF_NO_PI = 1, 2, 0x1000
SO_RCVMARK = 75
IPV6_FLOWINFO = 11
PROTOCOLS = (1, 6, 17, 47, 132, 253)
BASE = {
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/addr_gen_mode": "1",
    # Every error is to be seen (kernel, net/ipv4/icmp.c): no type is limited, and the limit of all is far away.
    # `icmp_ratelimit` stays: 0 would empty the bucket that the errors of routing share (net/ipv4/route.c, ip_error).
    "net/ipv4/icmp_ratemask": "0",
    "net/ipv4/icmp_msgs_per_sec": "1000000",
    "net/ipv4/icmp_msgs_burst": "1000000",
    "net/ipv6/icmp/ratelimit": "0",
    # Redirects take from the same bucket.
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/lo/send_redirects": "0",
    # Neighbours are asked with an address of the link, never with the packet's own: an answer to 127.0.0.1 would be
    # refused (net/ipv4/arp.c, arp_process), and whatever is sent there within the next second would wait in silence.
    "net/ipv4/conf/all/arp_announce": "2",
    # A segment without a connection is INVALID, not the middle of a connection that was not seen.
    "net/netfilter/nf_conntrack_tcp_loose": "0",
}


def mac_of(address: str) -> str:
    """The link-layer address at which a neighbour of that address answers, on every link."""
    packed = ip_address(address).packed
    return mac_text(b"\x02\x00" + packed if len(packed) == 4 else b"\x06" + sha256(packed).digest()[:5])


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A vxlan link above a link of this process."""

    lower: str
    local: str
    remote: str
    vni: int = 1
    port: int = 8472


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that the kernel let out: a frame on a link, or a copy for a raw socket."""

    link: str
    """Empty for a packet that was delivered to the node itself."""
    packet: Packet
    frame: Frame | None = None
    mark: int | None = None


class Stage:
    """One node as the judge has it."""

    def __init__(self) -> None:
        self.links: dict[str, int] = {}
        self.macs: dict[str, str] = {}
        self.masters: dict[str, str] = {}
        """Bridge of each port."""
        self.ports: dict[str, str] = {}
        """Port behind which an address lives."""
        self.tunnels: dict[str, Tunnel] = {}
        self.neighbours: dict[str, str] = {}
        """Address at a MAC."""
        self.solicited = False
        """Whether questions for neighbours of IPv6 are answered: they and their answers pass the node's own rules."""
        self.unresolved: list[tuple[str, str]] = []
        """Neighbours that the kernel asked for since the last time, and that cannot be answered: link and address."""

    def __enter__(self) -> Self:
        self.node = Namespace().__enter__()
        self._namespace = os.open(f"/proc/{self.node.pid}/ns/net", os.O_RDONLY)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        with self.inside():
            for key, value in BASE.items():
                self.write(key, value)
            self.conntrack = Conntrack()
            self.receivers = [_receiver(family, p) for family in ("ip", "ip6") for p in PROTOCOLS]
            self.counter_files = [
                os.open(f"/proc/thread-self/net/{name}", os.O_RDONLY) for name in ("netstat", "snmp", "snmp6")
            ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.links:
            # One after the other, closing waits for the whole kernel at each (RCU).
            self.node.run(["ip", "link", "del", "group", "77"], check=False)
        for receiver in self.receivers:
            receiver.close()
        self.conntrack.close()
        for file in [*self.links.values(), *self.counter_files, self._namespace, self._home]:
            os.close(file)
        self.node.__exit__(kind, error, trace)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is in the node's network: sockets and devices that it opens stay there."""
        _enter(self._namespace)
        try:
            yield
        finally:
            _enter(self._home)

    def write(self, key: str, value: str) -> None:
        """Set a sysctl, by its path below /proc/sys. To be called inside."""
        Path("/proc/sys", key).write_text(value + "\n", encoding="ascii")

    def sysctls(self, values: Mapping[str, str]) -> None:
        with self.inside():
            for key, value in values.items():
                self.write(key, value)

    def link(self, name: str, *, mac: str = "", tun: bool = False, carrier: bool = True) -> None:
        """A link that ends here; still down and without addresses."""
        with self.inside():
            file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            flags = (IFF_TUN if tun else IFF_TAP) | IFF_NO_PI
            fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
            if not carrier:
                fcntl.ioctl(file, TUNSETCARRIER, struct.pack("i", 0))
        self.links[name] = file
        if not tun:
            self.macs[name] = mac

    def ip(self, lines: list[str], family: str = "ip", *, try_each: bool = False) -> None:
        """Commands of `ip`, in one batch; with `try_each` those that are refused are left out."""
        argv = ["ip", "-6" if family == "ip6" else "-4", *(["-force"] if try_each else []), "-batch", "-"]
        if lines:
            self.node.run(argv, stdin="\n".join([*lines, ""]), check=not try_each)

    def knows(self, address: str, mac: str = "") -> None:
        """That address is at that MAC: needed to name the next hop."""
        self.neighbours[mac or mac_of(address)] = address

    def send(self, link: str, frame: bytes) -> None:
        """Let a frame arrive."""
        os.write(self.links[link], frame)

    def arrive(self, link: str, packet: Packet, *, source_mac: str = "", to: str = "") -> None:
        """Let a packet arrive by a link, a bridge's port or a tunnel."""
        data = build(packet)
        kind = IPV6 if packet.family == "ip6" else IPV4
        source = mac_bytes(source_mac or mac_of(packet.source))
        if link in self.tunnels:
            tunnel = self.tunnels[link]
            inner = ethernet(mac_bytes(to or self.macs[link]), source, kind, data)
            shell = struct.pack("!II", 0x08000000, tunnel.vni << 8) + inner
            outer = Packet(
                tunnel.remote, tunnel.local, UDP, source_port=54321, destination_port=tunnel.port, body=shell
            )
            self.arrive(tunnel.lower, outer)
        elif link not in self.macs:
            self.send(link, data)
        else:
            mac = to or self.macs[self.masters.get(link, link)]
            self.send(link, ethernet(mac_bytes(mac), source, kind, data))

    def drain(self) -> list[Event]:
        """Everything that the kernel has let out, with questions for neighbours answered until there are none."""
        events: list[Event] = []
        self.unresolved.clear()
        again = True
        while again:
            again = False
            for name, file in self.links.items():
                with suppress(BlockingIOError):
                    while True:
                        again |= self._read(name, os.read(file, 65536), events)
        for receiver in self.receivers:
            with suppress(BlockingIOError):
                while True:
                    events.append(_received(receiver))
        return events

    def _read(self, name: str, data: bytes, events: list[Event]) -> bool:
        """Take one frame; true when it was answered, so that more may come."""
        if name not in self.macs:
            packet = parse(data)
            if packet is not None:
                events.append(Event(name, packet))
            return False
        frame = parse_frame(data)
        target = arp_target(frame)
        if target:
            if not self._lives(target, name):
                return False
            if frame.body[14] == 127:
                # Asked with a loopback address: the answer to it would be refused (net/ipv4/arp.c, arp_process).
                self.unresolved.append((name, target))
            self.knows(target)
            self.send(name, arp_answer(frame, mac_bytes(mac_of(target))))
            return True
        packet = parse(frame.body) if frame.kind in {IPV4, IPV6} else None
        if packet is None:
            return False
        if packet.protocol == 58 and packet.icmp_type == 135:
            address = str(ip_address(packet.body[:16]))
            if not self.solicited or packet.source == "::":
                self.unresolved.append((name, address))
                return False
            if not self._lives(address, name):
                return False
            self.knows(address)
            self.send(name, neighbour_answer(frame, packet, mac_bytes(mac_of(address))))
            return True
        for tunnel_name, tunnel in self.tunnels.items():
            if tunnel.lower == name and packet.protocol == UDP and packet.destination_port == tunnel.port:
                frame = parse_frame(frame.body[28 + 8 :])
                inner = parse(frame.body)
                if inner is not None:
                    events.append(Event(tunnel_name, inner, frame))
                return False
        events.append(Event(name, packet, frame))
        return False

    def _lives(self, address: str, name: str) -> bool:
        """Whether that is where an address answers: a question on a bridge is heard at every port, and answered at one."""
        ports = [port for port, bridge in self.masters.items() if bridge == self.masters.get(name)]
        return not ports or name == self.ports.get(address, ports[0])

    def counters(self) -> dict[str, int]:
        """What the kernel counted so far of packets that it refuses without a word."""
        found: dict[str, int] = {}
        netstat, snmp, snmp6 = (os.pread(file, 65536, 0).decode() for file in self.counter_files)
        lines = [*netstat.splitlines(), *snmp.splitlines()]
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            prefix = names.partition(":")[0]
            pairs = zip(names.split()[1:], values.split()[1:], strict=True)
            found.update({f"{prefix}.{key}": int(value) for key, value in pairs})
        for line in snmp6.splitlines():
            key, value = line.split()
            found[key] = int(value)
        return found


def _enter(file: int) -> None:
    if LIBC.setns(file, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _receiver(family: str, protocol: int) -> socket.socket:
    """A raw socket: it gets a copy of what passed INPUT, and the protocol's own handler gets the packet too."""
    if family == "ip":
        receiver = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    else:
        receiver = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58 if protocol == 1 else protocol)
        for option in (
            socket.IPV6_RECVPKTINFO,
            socket.IPV6_RECVHOPLIMIT,
            socket.IPV6_RECVTCLASS,
            IPV6_FLOWINFO,
        ):
            receiver.setsockopt(socket.IPPROTO_IPV6, option, 1)
    receiver.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
    receiver.setblocking(False)
    return receiver


def _received(receiver: socket.socket) -> Event:
    data, notes, _, peer = receiver.recvmsg(65536, 512)
    values = {(level, kind): value for level, kind, value in notes}
    mark = int.from_bytes(values.get((socket.SOL_SOCKET, socket.SO_MARK), bytes(4)), "little")
    if receiver.family == socket.AF_INET:
        packet = parse(data)
        assert packet is not None
        return Event("", packet, mark=mark)
    six = socket.IPPROTO_IPV6
    found = Packet(
        source=peer[0].partition("%")[0],
        destination=str(ip_address(values[six, socket.IPV6_PKTINFO][:16])),
        protocol=receiver.proto,
        hop_limit=int.from_bytes(values[six, socket.IPV6_HOPLIMIT], "little"),
        tos=int.from_bytes(values.get((six, socket.IPV6_TCLASS), bytes(4)), "little"),
        length=40 + len(data),
    )
    label = int.from_bytes(values.get((six, IPV6_FLOWINFO), bytes(4)), "big") & 0xFFFFF
    return Event("", replace(parse_transport(found, data), tag=label), mark=mark)

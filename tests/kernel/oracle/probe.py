"""Flows made into packets, sent, and judged by what the kernel does with them."""

import ctypes
import errno
import itertools
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from oracle.classify import Answer, Kind, Mine, classify
from oracle.frames import HEADER, ICMP, ICMP6, TCP, UDP, Packet, build
from oracle.stage import Stage, mac_of
from planner.models.flow import Binding, Connection, Flow

LIBC = ctypes.CDLL(None, use_errno=True)
SYN, ACK = 2, 16
NUMBERS = itertools.count(1)
WATCHED = {
    "TcpExt.IPReversePathFilter": "rp_filter",
    "IpExt.InNoRoutes": "no route",
    "Ip.InAddrErrors": "not forwarded",
    "Ip6InNoRoutes": "no route",
    "Ip6InAddrErrors": "not forwarded",
    "Icmp.OutDestUnreachs": "error written",
    "Tcp.OutRsts": "reset written",
    "Icmp6OutDestUnreachs": "error written",
}
"""Counters of silence (kernel, net/ipv4/route.c ip_error, ip_handle_martian_source; net/ipv6/route.c ip6_pkt_drop)."""


def probe(stage: Stage, flow: Flow, *, explain: bool = True) -> Answer:
    """What the kernel does with the flow. Silence is asked a second time, with the kernel's counters at hand."""
    send = _host if not flow.entry.link else _arrive
    answer = send(stage, flow)
    if answer.kind is not Kind.SILENT or not explain:
        return answer
    before = stage.counters()
    again = send(stage, flow)
    after = stage.counters()
    if again.kind is not Kind.SILENT:
        # Chance decides (`-m statistic`): nothing more is known of the first.
        return replace(answer, chance=True)
    return replace(answer, counted=moved(before, after))


def moved(before: Mapping[str, int], after: Mapping[str, int]) -> frozenset[str]:
    """The counters of silence that went up."""
    return frozenset(name for key, name in WATCHED.items() if after.get(key, 0) > before.get(key, 0))


def packet_of(flow: Flow) -> Packet:
    """The packet of a flow, with a number by which it is found again."""
    number = next(NUMBERS)
    tag = number % 65535 + 1
    packet = Packet(
        source=flow.source,
        destination=flow.destination,
        protocol=flow.protocol,
        source_port=flow.source_port,
        destination_port=flow.destination_port,
        icmp_type=flow.icmp_type,
        icmp_code=flow.icmp_code,
        tcp_flags=flow.tcp_flags if flow.protocol == TCP else 0,
        hop_limit=flow.hop_limit,
        tos=flow.tos,
        length=flow.length,
        tag=tag,
        sequence=tag << 12 if flow.protocol == TCP else tag,
        acknowledged=(tag << 12) + 77 if flow.protocol == TCP and flow.tcp_flags & ACK else 0,
        identifier=tag,
        dont_fragment=flow.dont_fragment,
        body=b"probe%05d" % tag if flow.protocol == UDP else b"",
    )
    if flow.protocol in {ICMP, ICMP6} and packet.is_error:
        inner = Packet(
            flow.destination,
            flow.source,
            UDP,
            source_port=40000,
            destination_port=40001,
            length=HEADER[flow.family] + 12,
        )
        packet = replace(packet, inner=inner)
    return packet


def _arrive(stage: Stage, flow: Flow) -> Answer:
    packet = packet_of(flow)
    stage.conntrack.flush()
    stage.drain()
    _establish(stage, flow, packet)
    return arrive(stage, flow, packet)


def arrive(stage: Stage, flow: Flow, packet: Packet) -> Answer:
    """What the kernel does with that packet of the flow, as its connections are now."""
    entry = flow.entry
    to = ""
    if entry.bridge_port and not entry.to_router:
        to = mac_of(flow.destination)
    source_mac = flow.source_mac or mac_of(flow.source)
    stage.arrive(entry.bridge_port or entry.link, packet, source_mac=source_mac, to=to)

    def mine(other: Packet) -> bool:
        if other.tag != packet.tag or other.protocol != packet.protocol:
            return False
        if packet.protocol in {ICMP, ICMP6}:
            return other.icmp_type == packet.icmp_type
        return packet.protocol != TCP or other.tcp_flags in {packet.tcp_flags, 0}

    return classify(stage, stage.drain(), packet, mine, source_mac=source_mac)


def _establish(stage: Stage, flow: Flow, packet: Packet) -> None:
    """The connection that makes the packet ESTABLISHED or RELATED. NEW and INVALID are what the packet itself is."""
    if flow.state == "ESTABLISHED":
        stage.conntrack.establish(packet, mark=(flow.binding.mark or 0) if flow.binding else 0)
    elif flow.state == "RELATED":
        assert packet.inner is not None
        stage.conntrack.establish(packet.inner)


def tracked(flow: Flow, *, mark: int = 0) -> Flow:
    """With what the entry says that the judge makes for an ESTABLISHED or RELATED packet: no translation.

    An error travels against the packet that it is about, which is of the original direction.
    """
    if flow.state not in {"ESTABLISHED", "RELATED"}:
        return flow
    binding = Binding(
        source=flow.source,
        destination=flow.destination,
        source_port=flow.source_port,
        destination_port=flow.destination_port,
        reply=flow.state == "RELATED",
        mark=0,
        told=_connection(packet_of(flow).inner) if flow.state == "RELATED" else None,
    )
    return flow.model_copy(update={"binding": binding})


def _connection(inner: Packet | None) -> Connection | None:
    """What the judge makes the error tell about: a connection without translation."""
    if inner is None:
        return None
    return Connection(
        protocol=inner.protocol,
        source=inner.source,
        destination=inner.destination,
        source_port=inner.source_port,
        destination_port=inner.destination_port,
        answer_source=inner.destination,
        answer_destination=inner.source,
        answer_source_port=inner.destination_port,
        answer_destination_port=inner.source_port,
    )


@contextmanager
def _user(number: int | None) -> Iterator[None]:
    """Files opened meanwhile belong to that user: `-m owner` looks at the socket's file (kernel, xt_owner.c)."""
    if number is None:
        yield
        return
    LIBC.setfsuid(number)
    try:
        yield
    finally:
        LIBC.setfsuid(os.geteuid())


def _host(stage: Stage, flow: Flow) -> Answer:
    """A packet of the node's own programs, by the calls that a program makes."""
    packet = packet_of(flow)
    stage.conntrack.flush()
    stage.drain()
    _establish(stage, flow, packet)
    makers: dict[int, tuple[int, int]] = {TCP: (socket.SOCK_STREAM, 0), UDP: (socket.SOCK_DGRAM, 0)}
    kind, protocol = makers.get(flow.protocol, (socket.SOCK_RAW, flow.protocol))
    with stage.inside(), _user(flow.entry.user):
        own = socket.socket(socket.AF_INET6 if flow.family == "ip6" else socket.AF_INET, kind, protocol)
    error = ""
    with own:
        _options(own, flow)
        own.bind((flow.source, flow.source_port if kind != socket.SOCK_RAW else 0))
        try:
            _speak(own, flow, packet)
        except BlockingIOError:
            pass
        except OSError as problem:
            error = errno.errorcode[problem.errno or 0]
        events = stage.drain()
    answer = classify(stage, events, replace(packet, sequence=0, acknowledged=0), _own(packet))
    if answer.kind is Kind.SILENT and error:
        return Answer(Kind.SILENT if error == "EPERM" else Kind.REFUSED, error=error)
    return answer


def _options(own: socket.socket, flow: Flow) -> None:
    own.setblocking(False)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if flow.mark:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, flow.mark)
    if flow.family == "ip":
        own.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, flow.hop_limit)
        own.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, flow.tos)
    else:
        own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, flow.hop_limit)
        own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, flow.tos)


def _speak(own: socket.socket, flow: Flow, packet: Packet) -> None:
    if flow.protocol == TCP:
        own.connect((flow.destination, flow.destination_port))
    elif flow.protocol == UDP:
        size = flow.length - HEADER[flow.family] - 8
        own.sendto(packet.body.ljust(size, b"\0"), (flow.destination, flow.destination_port))
    else:
        own.sendto(build(packet)[HEADER[flow.family] :], (flow.destination, 0))


def _own(packet: Packet) -> Mine:
    """A packet of a real socket has the kernel's own numbers: it is known by its content."""

    def mine(other: Packet) -> bool:
        if other.protocol != packet.protocol:
            return False
        if packet.protocol == TCP:
            return other.tcp_flags & (SYN | ACK) == SYN
        if packet.protocol == UDP:
            return packet.body in other.body
        return other.icmp_type == packet.icmp_type and other.sequence == packet.sequence

    return mine

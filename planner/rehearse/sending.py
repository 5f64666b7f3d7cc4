"""The packet of one path, really sent on a stage, and what becomes of it and of its answer."""

import itertools
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from planner.invariants.catalogue import invariant_of
from planner.models.invariant import Path
from planner.models.rehearsal import ARRIVES, UNDECIDED
from planner.rehearse.frames import ACK, HEADER, ICMP, ICMP6, RST, SYN, TCP, UDP, Packet, build, mac_text
from planner.rehearse.stage import Stage
from planner.rehearse.wires import Event, Wires, mac_of

UNANSWERED, LOST = "the answer is lost", "lost"
MOST_DATA = 2000
"""Octets by which a reset may acknowledge more than the sequence number: what the segment carried."""
NUMBERS = itertools.count(1)
DISCOVERY = frozenset({135, 136})
"""Types of ICMPv6 by which neighbours are found (RFC 4861): they carry no number."""


def outcome(stage: Stage, wires: Wires, path: Path) -> str:
    """`arrives`, `the answer is lost`, `lost`, or `not known` where it cannot be sent here."""
    entry = path.flow.entry.bridge_port or path.flow.entry.link
    if entry and entry not in wires.links:
        return LOST
    if why_unsent(wires, path):
        return UNDECIDED
    return _arriving(wires, path, entry) if entry else _own(stage, wires, path)


def why_unsent(wires: Wires, path: Path) -> str:
    """Why its packet cannot be sent here; empty when it can."""
    if path.flow.protocol not in {TCP, UDP, ICMP, ICMP6}:
        return f"packets of IP protocol {path.flow.protocol} are not sent"
    entry = path.flow.entry.bridge_port or path.flow.entry.link
    if entry and entry in wires.links and not wires.reaches(entry):
        return f"nothing can be sent in by {entry}, whose other end is on the stage too"
    return ""


def _packet(path: Path) -> Packet:
    flow = path.flow
    tag = next(NUMBERS) % 65535 + 1
    return Packet(
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
        identifier=tag,
        body=b"rehearsal" if flow.protocol == UDP else b"",
    )


def _arriving(wires: Wires, path: Path, entry: str) -> str:
    packet = _packet(path)
    wires.drain()
    if path.flow.entry.bridge_port:
        wires.put_behind(packet.source, entry)
    sender = mac_of(packet.source)
    to = "" if path.flow.entry.to_router else mac_of(packet.destination)
    wires.arrive(entry, packet, source_mac=path.flow.source_mac or sender, to=to)
    events = wires.drain()
    out = next((one for one in events if _same(one.packet, packet)), None)
    if out is None or not _right_end(wires, path, out):
        return LOST
    if not path.answered:
        return ARRIVES
    if not out.link:
        return _node_answers(wires, path, packet, events)
    return ARRIVES if _comes_back(wires, path, packet, out) else UNANSWERED


def _same(found: Packet, sent: Packet) -> bool:
    """The packet itself, whatever was translated: not an answer, and not an error about it."""
    if found.tag != sent.tag or found.protocol != sent.protocol:
        # A raw socket of IPv6 does not tell the flow label.
        six = found.family == "ip6" and not found.tag and found.protocol == sent.protocol
        if six and found.protocol == ICMP6 and sent.icmp_type in DISCOVERY:
            return (found.icmp_type, found.source) == (sent.icmp_type, sent.source)
        return six and found.body == sent.body and found.sequence == sent.sequence and found.tcp_flags == SYN
    if found.protocol == TCP:
        return found.tcp_flags == sent.tcp_flags
    return found.protocol == UDP or found.icmp_type == sent.icmp_type


def _right_end(wires: Wires, path: Path, out: Event) -> bool:
    """Whether the packet has come to where the path leads: not past a Service's translation, nor to a port that nobody serves."""
    flow, there = path.flow, out.packet
    invariant = invariant_of(path.invariant)
    same = (there.destination, there.destination_port) == (flow.destination, flow.destination_port)
    heard = wires.heard_by(there) if not out.link else ""
    if same and invariant is not None and invariant.translated and heard in {"", "nobody"}:
        return False
    if (not same and heard == "nobody") or (out.link and there.source == there.destination):
        return False
    if not path.ends_at:
        return True
    if not out.link:
        return "local" in path.ends_at
    return out.link in path.ends_at or wires.master(out.link) in path.ends_at


def _node_answers(wires: Wires, path: Path, packet: Packet, events: Sequence[Event]) -> str:
    """The node has it; nobody listens on a stage, so that its own answer is a reset. Of UDP no answer is expected."""
    if packet.protocol != TCP:
        return ARRIVES
    for event in events:
        back = event.packet
        if (
            back.protocol == TCP
            and back.tcp_flags & RST
            and 0 < back.acknowledged - packet.sequence <= MOST_DATA
        ):
            return ARRIVES if at_entry(wires, path, event) else UNANSWERED
    return UNANSWERED


def _comes_back(wires: Wires, path: Path, packet: Packet, out: Event) -> bool:
    """The answer of whoever got it is let in where it came out, and seen where the first one was sent from."""
    there = out.packet
    answer = replace(
        there,
        source=there.destination,
        destination=there.source,
        source_port=there.destination_port,
        destination_port=there.source_port,
        tcp_flags=SYN | ACK if there.protocol == TCP else 0,
        icmp_type={8: 0, 128: 129}.get(there.icmp_type, there.icmp_type),
        sequence=7 if there.protocol == TCP else there.sequence,
        acknowledged=there.sequence + 1 if there.protocol == TCP else 0,
        hop_limit=64,
        tag=next(NUMBERS) % 65535 + 1,
        body=there.body if there.protocol != TCP else b"",
        length=0,
    )
    source = mac_text(out.frame.destination) if out.frame else ""
    to = mac_text(out.frame.source) if out.frame else ""
    wires.put_behind(answer.source, out.link)
    wires.arrive(out.link, answer, source_mac=source or mac_of(answer.source), to=to)
    for event in wires.drain():
        back = event.packet
        if back.protocol != packet.protocol or back.destination != packet.source:
            continue
        same_ports = (back.source_port, back.destination_port) == (
            packet.destination_port,
            packet.source_port,
        )
        if (
            back.source == packet.destination
            and (same_ports or packet.protocol in {ICMP, ICMP6})
            and at_entry(wires, path, event)
        ):
            return True
    return False


def at_entry(wires: Wires, path: Path, event: Event) -> bool:
    """Whether what came out is on its way back to where the path's packets come from."""
    entry = path.flow.entry
    if not entry.link:
        return not event.link
    if not event.link:
        return False
    if {event.link, wires.master(event.link)} & {entry.link, entry.bridge_port} - {""}:
        return True
    # An answer may leave by another uplink; one that leaves past the overlay is not certain to be taken by the other end.
    return {event.link, entry.link} <= wires.uplinks


def _own(stage: Stage, wires: Wires, path: Path) -> str:
    """A packet of the node's own programs, by the calls that a program makes."""
    packet = _packet(path)
    wires.drain()
    kinds = {TCP: socket.SOCK_STREAM, UDP: socket.SOCK_DGRAM}
    family = socket.AF_INET6 if packet.family == "ip6" else socket.AF_INET
    kind = kinds.get(packet.protocol, socket.SOCK_RAW)
    try:
        own = stage.socket(family, kind, packet.protocol if kind == socket.SOCK_RAW else 0)
    except OSError:
        return UNDECIDED
    with own:
        own.setblocking(False)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            own.bind((packet.source, packet.source_port if kind != socket.SOCK_RAW else 0))
        except OSError:
            return LOST  # Its own address is gone.
        with suppress(OSError):
            _speak(own, packet)
        events = wires.drain()
        out = next((one for one in events if one.link and _ours(one.packet, packet)), None) or next(
            (one for one in events if _ours(one.packet, packet)), None
        )
        if out is None or not _right_end(wires, path, out):
            return LOST
        if not path.answered or not out.link:
            return ARRIVES
        sent = replace(packet, sequence=out.packet.sequence, source_port=packet.source_port)
        return ARRIVES if _comes_back(wires, path, sent, out) else UNANSWERED


def _speak(own: socket.socket, packet: Packet) -> None:
    if packet.protocol == TCP:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        own.connect((packet.destination, packet.destination_port))
    elif packet.protocol == UDP:
        own.sendto(packet.body, (packet.destination, packet.destination_port))
    else:
        own.sendto(build(packet)[HEADER[packet.family] :], (packet.destination, 0))


def _ours(found: Packet, sent: Packet) -> bool:
    """A packet of a real socket has the kernel's own numbers: it is known by its content."""
    if found.protocol != sent.protocol:
        return False
    if sent.protocol == TCP:
        return found.tcp_flags & (SYN | ACK) == SYN
    if sent.protocol == UDP:
        return sent.body in found.body
    return found.icmp_type == sent.icmp_type and found.sequence == sent.sequence & 0xFFFF

"""Later packets of connections that are really translated: the answer to a first packet, and its sender's next one."""

from collections.abc import Iterator
from dataclasses import replace

from oracle.classify import Answer, Kind
from oracle.conntrack import ECHO, Connection, Ends
from oracle.frames import ICMP, ICMP6, TCP, Packet
from oracle.probe import ACK, SYN, arrive, moved, packet_of
from oracle.stage import Stage, mac_of
from planner.models.flow import Binding, Entry, Flow


def converse(stage: Stage, flow: Flow) -> Iterator[tuple[Flow, Answer]]:
    """What the kernel does with the answer to a packet that arrives and is sent on, and with the packet after that.

    Each is told with what the kernel's own table holds for it. Nothing where there is no such packet or no entry.
    """
    first = packet_of(flow)
    stage.conntrack.flush()
    stage.drain()
    sent = arrive(stage, flow, first)
    entry = _entry(stage, first)
    out = sent.packet
    if sent.kind is not Kind.SENT or out is None or entry is None or entry.reply != _ends(out, back=True):
        return
    answering = _answer(stage, flow, sent, out, entry)
    packet = packet_of(answering)
    if first.protocol == TCP:
        packet = replace(packet, acknowledged=first.sequence + 1)
    elif first.protocol in {ICMP, ICMP6}:
        packet = replace(packet, identifier=out.identifier)
    yield answering, _send(stage, answering, packet)
    entry = _entry(stage, first)
    if entry is None or not entry.answered:
        return
    binding = Binding(
        source=out.source,
        destination=out.destination,
        source_port=out.source_port,
        destination_port=out.destination_port,
        mark=entry.mark,
    )
    following = flow.model_copy(
        update={"state": "ESTABLISHED", "tcp_flags": ACK, "hop_limit": 64, "binding": binding}
    )
    # A connection has one flow label (of IPv6, where it finds probes again), and several next hops are chosen by it.
    again = replace(packet_of(following), identifier=first.identifier, tag=first.tag)
    if first.protocol == TCP:
        again = replace(again, sequence=first.sequence + 1, acknowledged=packet.sequence + 1)
    yield following, _send(stage, following, again)


def _send(stage: Stage, flow: Flow, packet: Packet) -> Answer:
    """Once only: sent again it would be another packet of the connection. So the counters are read each time."""
    before = stage.counters()
    answer = arrive(stage, flow, packet)
    if answer.kind is not Kind.SILENT:
        return answer
    return replace(answer, counted=moved(before, stage.counters()))


def _ends(packet: Packet, *, back: bool = False) -> Ends:
    ends = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
    (source, source_port), (destination, destination_port) = ends[::-1] if back else ends
    return Ends(source, destination, source_port, destination_port)


def _entry(stage: Stage, first: Packet) -> Connection | None:
    """The connection that a first packet opened."""
    held = [one for one in stage.conntrack.entries() if one.original == _ends(first)]
    return held[0] if len(held) == 1 else None


def _answer(stage: Stage, flow: Flow, sent: Answer, out: Packet, entry: Connection) -> Flow:
    """The flow of the answer: by the link that the packet left by, from the neighbour it was sent to."""
    # Who lives nowhere in particular answers by the first port of a bridge.
    ports = [port for port, bridge in stage.masters.items() if bridge == sent.link]
    port = stage.ports.get(sent.next_hop, ports[0]) if ports else ""
    return Flow(
        family=flow.family,
        protocol=flow.protocol,
        source=out.destination,
        destination=out.source,
        source_port=out.destination_port,
        destination_port=out.source_port,
        icmp_type=ECHO.get(flow.icmp_type, 0),
        tcp_flags=SYN | ACK,
        length=min(flow.length, 84),
        source_mac=mac_of(sent.next_hop),
        state="ESTABLISHED",
        binding=Binding(
            source=flow.destination,
            destination=flow.source,
            source_port=flow.destination_port,
            destination_port=flow.source_port,
            reply=True,
            mark=entry.mark,
        ),
        entry=Entry(link=sent.link, bridge_port=port),
    )

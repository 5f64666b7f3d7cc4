"""A connection that is open before the first step, kept on a stage through all of them."""

import socket
from contextlib import suppress
from dataclasses import replace

from planner.models.invariant import Path
from planner.models.rehearsal import ARRIVES
from planner.rehearse.frames import ACK, SYN, TCP, Packet
from planner.rehearse.sending import LOST, UNANSWERED, at_entry
from planner.rehearse.stage import Stage
from planner.rehearse.wires import Wires, mac_of

WORD = b"rehearsal"
"""What is said in it, once after each step."""
KEPT = 600
"""Seconds for which conntrack keeps the entry that is put back: longer than any rehearsal of its step."""


class Session:
    """Somebody outside, connected to a program of the node's own."""

    def __init__(self, path: Path) -> None:
        flow = path.flow
        self._path = path
        self._packet = Packet(
            flow.source,
            flow.destination,
            TCP,
            source_port=flow.source_port ^ 1,  # Not that of new connections to the same port.
            destination_port=flow.destination_port,
            tcp_flags=ACK,
            sequence=1,
        )
        self._family = socket.AF_INET6 if flow.family == "ip6" else socket.AF_INET
        self._own: socket.socket | None = None

    def open(self, stage: Stage, wires: Wires) -> str:
        """Shake hands, as any client does, with a real socket of the stage. What hindered it, or nothing."""
        flow = self._path.flow
        with stage.socket(self._family, socket.SOCK_STREAM) as listener:
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((flow.destination, flow.destination_port))
            except OSError as error:
                return f"port {flow.destination_port} of {flow.destination} cannot be listened on: {error.strerror}"
            listener.listen()
            self._send(wires, replace(self._packet, tcp_flags=SYN, sequence=0))
            answer = self._answer(wires, SYN | ACK)
            if answer is None:
                return "its opening packet is not answered"
            self._packet = replace(self._packet, acknowledged=answer.sequence + 1)
            self._send(wires, self._packet)
            try:
                self._own, _ = listener.accept()
            except BlockingIOError:
                return "its handshake does not end"
        self._own.setblocking(False)
        return ""

    def outcome(self, stage: Stage, wires: Wires) -> str:
        """`arrives`, `the answer is lost`, or `lost`: of what is said now."""
        if self._own is None or self._path.flow.entry.link not in wires.links:
            return LOST
        self._remembered(stage)
        said = replace(self._packet, body=WORD)
        self._send(wires, said)
        with suppress(BlockingIOError):
            self._own.recv(len(WORD))
            self._packet = replace(self._packet, sequence=said.sequence + len(WORD))
            return ARRIVES if self._answer(wires, ACK) is not None else UNANSWERED
        return LOST

    def close(self) -> None:
        """Drop it without a word."""
        if self._own is not None:
            self._own.close()

    def _remembered(self, stage: Stage) -> None:
        """The entry of conntrack, which is emptied before the packets of each step are sent."""
        packet = self._packet
        stage.run(
            (
                "conntrack", "-I", "-p", "tcp", "-s", packet.source, "-d", packet.destination,
                "--sport", str(packet.source_port), "--dport", str(packet.destination_port),
                "--state", "ESTABLISHED", "-u", "SEEN_REPLY,ASSURED", "-t", str(KEPT),
            )
        )  # fmt: skip

    def _send(self, wires: Wires, packet: Packet) -> None:
        wires.drain()
        wires.arrive(self._path.flow.entry.link, packet, source_mac=mac_of(packet.source))

    def _answer(self, wires: Wires, flags: int) -> Packet | None:
        """What comes back of this connection with these flags."""
        for event in wires.drain():
            back = event.packet
            if (
                at_entry(wires, self._path, event)
                and (back.source, back.source_port)
                == (self._packet.destination, self._packet.destination_port)
                and (back.destination, back.destination_port)
                == (self._packet.source, self._packet.source_port)
                and back.tcp_flags & (SYN | ACK) == flags
            ):
                return back
        return None

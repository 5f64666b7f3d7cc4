"""What the kernel did with one probe, told from what came out of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from oracle.frames import TCP, Packet, mac_text
from oracle.stage import Event, Stage

RST = 4


class Kind(StrEnum):
    """The endings that can be told apart from outside."""

    SENT = "sent"
    BRIDGED = "bridged"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    """An ICMP error or a reset came back."""
    REFUSED = "refused"
    """The socket of the node's own program got an error."""
    ASKED = "asked"
    """About to be sent: the kernel asks for the next hop, in a way to which no answer is taken."""
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the kernel did."""

    kind: Kind
    link: str = ""
    """The link it left by: a bridge for a port that it was routed to, the port for a frame that was bridged."""
    next_hop: str = ""
    packet: Packet | None = None
    """As it left or was delivered."""
    mark: int | None = None
    """Of a delivered packet."""
    icmp: tuple[int, int] | None = None
    """Type and code of the error."""
    reset: bool = False
    error: str = ""
    """`EPERM`, `ENETUNREACH` …"""
    counted: frozenset[str] = frozenset()
    """For silence: the kernel's counters that moved."""
    chance: bool = False
    """The same packet ended in another way when it was sent again."""

    def __str__(self) -> str:
        parts = [self.kind.value]
        if self.link:
            parts.append(f"by {self.link} to {self.next_hop}")
        if self.packet is not None:
            p = self.packet
            parts.append(f"as {p.source}:{p.source_port} → {p.destination}:{p.destination_port}")
            parts.append(f"ttl {p.hop_limit} tos {p.tos:#x}")
        if self.mark:
            parts.append(f"mark {self.mark:#x}")
        if self.icmp:
            parts.append(f"icmp {self.icmp[0]}/{self.icmp[1]}")
        if self.reset:
            parts.append("reset")
        if self.error:
            parts.append(self.error)
        if self.counted:
            parts.append(f"counted {', '.join(sorted(self.counted))}")
        return ", ".join(parts)


Mine = Callable[[Packet], bool]


def classify(
    stage: Stage, events: Sequence[Event], probe: Packet, mine: Mine, *, source_mac: str = ""
) -> Answer:
    """The ending of `probe`. Answers of the node's own sockets come only after it was delivered, and do not count."""
    out = [event for event in events if event.link and mine(event.packet)]
    if out:
        event = out[0]
        mac = mac_text(event.frame.destination) if event.frame else ""
        # A routed frame has the bridge's own address as source, a bridged one its sender's.
        if event.link in stage.masters and event.frame and mac_text(event.frame.source) == source_mac:
            return Answer(Kind.BRIDGED, link=event.link, packet=event.packet)
        link = stage.masters.get(event.link, event.link)
        return Answer(Kind.SENT, link=link, next_hop=stage.neighbours.get(mac, mac), packet=event.packet)
    for event in events:
        if not event.link and mine(event.packet):
            return Answer(Kind.DELIVERED, packet=event.packet, mark=event.mark)
    for event in events:
        packet = event.packet
        if packet.is_error and packet.inner is not None and mine(packet.inner):
            # A redirect is advice to the sender, and the packet went on.
            if packet.family == "ip" and packet.icmp_type == 5:
                continue
            return Answer(Kind.REJECTED, icmp=(packet.icmp_type, packet.icmp_code))
        if resets(packet, probe):
            return Answer(Kind.REJECTED, reset=True)
    for link, address in stage.unresolved:
        return Answer(Kind.ASKED, link=stage.masters.get(link, link), next_hop=address)
    return Answer(Kind.SILENT)


def resets(packet: Packet, probe: Packet) -> bool:
    """Whether that is the reset that answers the probe (RFC 9293, 3.10.7.1)."""
    if probe.protocol != TCP or packet.protocol != TCP or not packet.tcp_flags & RST:
        return False
    if packet.source_port != probe.destination_port and packet.destination_port != probe.source_port:
        return False
    if probe.acknowledged:
        return packet.sequence == probe.acknowledged
    return 0 < packet.acknowledged - probe.sequence <= 2000 or not probe.sequence

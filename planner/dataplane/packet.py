"""A packet on its way: header, marks, where it came from, and what conntrack holds about it."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from planner.models.flow import Binding, Flow

FULL = 0xFFFFFFFF
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
WITH_PORTS = frozenset({6, 17, 33, 132, 136})
ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
"""Types that tell of another packet (net/ipv4/icmp.c, icmp_pointers); no error is ever sent about them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of which some bits may not be known."""

    value: int = 0
    known: int = FULL

    def meets(self, value: int, mask: int) -> bool | None:
        """Whether `mark & mask == value`; None when it hangs on bits that are not known."""
        if value & ~mask or (self.value ^ value) & mask & self.known:
            return False
        return None if mask & ~self.known else True

    def merged(self, own_mask: int, other: "Mark", other_mask: int) -> "Mark":
        """`(mark & ~own_mask) ^ (other & other_mask)`: how marks are saved and restored (xt_connmark.c)."""
        value = (self.value & ~own_mask) ^ (other.value & other_mask)
        known = (self.known | own_mask) & (other.known | ~other_mask) & FULL
        return Mark(value & known, known)

    def changed(self, value: int, mask: int) -> "Mark":
        """`(mark & ~mask) ^ value` (xt_mark.c, mark_tg)."""
        return self.merged(mask, Mark(value), FULL)

    def shifted(self, by: int) -> "Mark":
        """To the left, or with a negative number to the right."""
        if by >= 0:
            return Mark(self.value << by & FULL, (self.known << by | (1 << by) - 1) & FULL)
        return Mark(self.value >> -by, self.known >> -by | (FULL & ~(FULL >> -by)))

    def __str__(self) -> str:
        return f"{self.value:#x}" + ("" if self.known == FULL else f" (known bits {self.known:#x})")


NO_MARK = Mark()
UNKNOWN_MARK = Mark(0, 0)


@dataclass(frozen=True, slots=True)
class Ends:
    """Addresses and ports."""

    source: int
    destination: int
    source_port: int | None
    destination_port: int | None


@dataclass(frozen=True, slots=True)
class Tracking:
    """What conntrack holds for the packet."""

    state: str = "INVALID"
    """As matches see it. INVALID also before conntrack has looked (xt_conntrack.c, conntrack_mt)."""
    entry: bool = False
    looked: bool = False
    """Whether conntrack's own hook has seen it, or was told not to look."""
    mark: Mark = NO_MARK
    original: Ends | None = None
    """Of the direction that opened the flow, where that is known."""
    answer: Ends | None = None
    """Of the other direction; None while the flow may still be translated."""
    dnat: bool | None = False
    snat: bool | None = False
    """Whether the flow's destination, or source, is translated; None when not known."""
    bound_destination: bool = False
    bound_source: bool = False
    """Translations already decided: no nat rule is asked again."""
    confirmed: bool = False
    """Past the end of its first way through the hooks (nf_conntrack_confirm)."""
    binding: Binding | None = None
    protocol: int | None = None
    """Of the connection that an ICMP error tells about; None when not known."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, somewhere on a node. Ports are None when they are drawn by the kernel."""

    family: str
    protocol: int
    source: int
    destination: int
    source_port: int | None = 0
    destination_port: int | None = 0
    icmp_type: int = 8
    icmp_code: int = 0
    tcp_flags: int = 2
    hop_limit: int = 64
    tos: int = 0
    length: int = 60
    fragile: bool = True
    """May not be fragmented."""
    source_mac: str = ""
    mark: Mark = NO_MARK
    tracking: Tracking = Tracking()
    in_link: str = ""
    out_link: str = ""
    in_port: str = ""
    out_port: str = ""
    """Ports of a bridge, where the bridge told netfilter."""
    bridged: bool = False
    local: bool = False
    """Sent by a program of the node."""
    user: int | None = None
    broadcast: bool = False

    @property
    def bits(self) -> int:
        """Of an address."""
        return 32 if self.family == "ip" else 128

    @property
    def ends(self) -> Ends:
        """Addresses and ports as they stand in the header now."""
        return Ends(self.source, self.destination, self.source_port, self.destination_port)

    @property
    def is_error(self) -> bool:
        """An ICMP error."""
        if self.protocol == ICMP:
            return self.icmp_type in ICMP_ERRORS
        return self.protocol == ICMP6 and self.icmp_type < 128

    def address(self, value: int) -> str:
        """As text."""
        return show(value, self.family)


def show(value: int, family: str) -> str:
    """An address as text."""
    return str(IPv4Address(value) if family == "ip" else IPv6Address(value))


def number(text: str) -> int:
    """An address as a number."""
    return int(ip_address(text))


def packet_of(flow: Flow) -> Packet:
    """The packet as it enters."""
    ported = flow.protocol in WITH_PORTS
    return Packet(
        family=flow.family,
        protocol=flow.protocol,
        source=number(flow.source),
        destination=number(flow.destination),
        source_port=flow.source_port if ported else 0,
        destination_port=flow.destination_port if ported else 0,
        icmp_type=flow.icmp_type,
        icmp_code=flow.icmp_code,
        tcp_flags=flow.tcp_flags,
        hop_limit=flow.hop_limit,
        tos=flow.tos,
        length=flow.length,
        fragile=flow.dont_fragment or flow.family == "ip6",
        source_mac=flow.source_mac,
        mark=Mark(flow.mark),
        tracking=Tracking(binding=flow.binding),
        in_link=flow.entry.link,
        local=not flow.entry.link,
        user=flow.entry.user,
    )


def flow_of(packet: Packet, before: Flow) -> Flow:
    """The header as it is now. A port that the kernel draws is 0; so are bits of a mark that are not known."""
    return before.model_copy(
        update={
            "source": show(packet.source, packet.family),
            "destination": show(packet.destination, packet.family),
            "source_port": packet.source_port or 0,
            "destination_port": packet.destination_port or 0,
            "hop_limit": packet.hop_limit,
            "tos": packet.tos,
            "mark": packet.mark.value & packet.mark.known,
        }
    )


def with_tracking(packet: Packet, **changes: object) -> Packet:
    """The packet with other knowledge of conntrack's."""
    return replace(packet, tracking=replace(packet.tracking, **changes))  # type: ignore[arg-type]

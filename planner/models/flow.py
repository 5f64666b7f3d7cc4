"""One concrete packet, where it enters a node, and what becomes of it there."""

from enum import StrEnum

from planner.models.noun import Noun
from planner.models.source import Source


class Disposition(StrEnum):
    """How a packet's way through a node ends."""

    SENT = "sent"
    """Left by a link, towards a next hop."""
    DELIVERED = "accepted locally"
    """Handed to the node's own sockets; whether one listens is told apart."""
    DROPPED = "dropped by rule"
    REJECTED = "rejected"
    """Dropped by a rule that tells the sender."""
    RP_FILTER = "dropped by rp_filter"
    NO_FORWARDING = "not forwarded"
    """The link it came by does not forward."""
    NO_ROUTE = "no route"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    """A route or policy rule of type unreachable or prohibit."""
    MARTIAN = "martian"
    """A source or destination that the kernel does not take there: an own address as source, 127/8 from outside …"""
    EXPIRED = "hop limit reached"
    TOO_BIG = "too big"
    BRIDGED = "bridged"
    """Crossed a bridge without being routed."""
    LOOP = "loop"
    UNKNOWN = "unknown"
    """What decides is not modelled or not known; `reason` says what."""


class Entry(Noun):
    """Where a packet enters."""

    link: str = ""
    """The link it arrives by; empty for a packet of the node's own programs."""
    bridge_port: str = ""
    """The port of the bridge `link` that it arrives by, for bridged pods."""
    to_router: bool = True
    """For a bridge port: addressed to the bridge's own MAC, so that it is routed; else to another port's."""
    out_port: str = ""
    """For a frame that is only bridged: the port that it leaves by."""
    user: int | None = None
    """For the node's own packets: the socket's user."""


class Binding(Noun):
    """What conntrack makes of a packet whose flow it knows already: the header as it leaves, seen in this direction."""

    source: str
    destination: str
    source_port: int = 0
    destination_port: int = 0
    reply: bool = False
    """The packet answers the one that opened the flow."""
    mark: int | None = None
    """Of the conntrack entry; None when not known."""
    told: "Connection | None" = None
    """Of an ICMP error: the connection that it tells about, which is the one that matches see. None: not known."""


class Connection(Noun):
    """A connection as conntrack keeps it: its protocol and the two ways that its packets go."""

    protocol: int
    source: str
    destination: str
    source_port: int = 0
    destination_port: int = 0
    answer_source: str
    """Of the answers as they arrive: the destination of the original direction unless it is translated."""
    answer_destination: str
    answer_source_port: int = 0
    answer_destination_port: int = 0


class Flow(Noun):
    """A packet's header, with what conntrack says about it."""

    family: str = "ip"
    protocol: int = 6
    source: str
    destination: str
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int = 8
    icmp_code: int = 0
    tcp_flags: int = 0x02
    """As in the header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16."""
    hop_limit: int = 64
    tos: int = 0
    length: int = 60
    source_mac: str = ""
    mark: int = 0
    """Of a socket (SO_MARK); a packet from outside has none."""
    state: str = "NEW"
    """NEW, ESTABLISHED, RELATED, INVALID or UNTRACKED, as conntrack would say at its hook."""
    binding: Binding | None = None
    """Of an ESTABLISHED or RELATED packet: its translation. None: not known, taken for none and told as a doubt."""
    dont_fragment: bool = True
    """Of IPv4: too long for a link, it is dropped and not cut. IPv6 never cuts on the way."""
    entry: Entry = Entry()

    def __str__(self) -> str:
        ports = f":{self.source_port}", f":{self.destination_port}"
        if self.protocol not in {6, 17, 132, 33}:
            ports = "", ""
        wide = self.family == "ip6"
        left = f"[{self.source}]" if wide and ports[0] else self.source
        right = f"[{self.destination}]" if wide and ports[1] else self.destination
        name = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}.get(
            self.protocol, str(self.protocol)
        )
        where = (
            f"in {self.entry.bridge_port or self.entry.link}" if self.entry.link else "from the node itself"
        )
        return f"{left}{ports[0]} → {right}{ports[1]} {name}, {where}"


class Hop(Noun):
    """One step of the way that decided or changed something."""

    stage: str
    """`prerouting raw`, `routing`, `rp_filter`, `forward filter`, `postrouting nat` …"""
    what: str
    """A sentence: `jumps to KUBE-SERVICES`, `10.244.2.0/24 via 10.244.2.0 dev flannel.1, table main`."""
    rule: str = ""
    """The line as iptables-save prints it, `-A CHAIN …`, when a rule did it."""
    chain: str = ""
    position: int | None = None
    """1-based, of the rule in its chain."""
    backend: str = ""
    source: Source | None = None


class Trace(Noun):
    """What becomes of one packet."""

    flow: Flow
    """As it entered."""
    disposition: Disposition
    reason: str = ""
    """Why, when it is not plain: the rule's text, the sysctl, the gap."""
    link: str = ""
    """The link it left by."""
    next_hop: str = ""
    """Address of the neighbour it is sent to; the destination itself when it is on the link."""
    after: Flow | None = None
    """The header as it left or was delivered: addresses and ports after NAT, mark, hop limit."""
    reject_kind: str = ""
    """`icmp-port-unreachable`, `tcp-reset`, or the ICMP that the kernel sends by itself: `net-unreachable` …; empty for silence."""
    draws: tuple[str, ...] = ()
    """Random choices that were taken, as `KUBE-SVC-X rule 2 (0.33333333349): hit`."""
    port: str = ""
    """The port of the bridge `link` that it left by, where that is known."""
    listens: str = ""
    """Of a packet handed to the node's own sockets: who listens there; `nobody`; empty when not known."""
    hops: tuple[Hop, ...] = ()
    alternatives: tuple["Trace", ...] = ()
    """When the disposition is unknown because something is not known: what it would be for each answer."""

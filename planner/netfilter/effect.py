"""What a target does: the closed core that every target is lowered to."""

from dataclasses import dataclass
from typing import assert_never

from planner.netfilter.condition import Field, Interval


@dataclass(frozen=True, slots=True)
class Accept:
    """The packet leaves this table's hook unharmed."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The packet is gone."""


@dataclass(frozen=True, slots=True)
class Return:
    """Back to the calling chain; in a base chain, its policy."""


@dataclass(frozen=True, slots=True)
class Continue:
    """No target: only the counters move."""


@dataclass(frozen=True, slots=True)
class Jump:
    """Into a user chain, and on with the next rule when it returns."""

    chain: str


@dataclass(frozen=True, slots=True)
class Goto:
    """Into a user chain, without coming back here."""

    chain: str


@dataclass(frozen=True, slots=True)
class Queue:
    """To a program; without it the packet is dropped, unless `bypass`."""

    bypass: bool
    text: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The packet is gone and its sender is told."""

    kind: str
    """`icmp-port-unreachable`, `tcp-reset` …"""


@dataclass(frozen=True, slots=True)
class SetMark:
    """`mark = (mark & ~mask) ^ value` (xt_mark.c, mark_tg)."""

    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class SetConnectionMark:
    """The same for the mark of the conntrack entry, then shifted left by `shift` (negative: right)."""

    value: int
    mask: int
    shift: int = 0


@dataclass(frozen=True, slots=True)
class SaveMark:
    """Connection mark = `(connection mark & ~connection_mask) ^ (mark & packet_mask)`."""

    packet_mask: int
    connection_mask: int


@dataclass(frozen=True, slots=True)
class RestoreMark:
    """Mark = `(mark & ~packet_mask) ^ (connection mark & connection_mask)`."""

    packet_mask: int
    connection_mask: int


@dataclass(frozen=True, slots=True)
class NatRange:
    """Where an address and port are taken from. `None`: that part stays."""

    addresses: Interval | None = None
    ports: Interval | None = None
    base_port: int | None = None
    """For shifted port ranges: the port that maps to the first one."""
    random: bool = False
    persistent: bool = False


@dataclass(frozen=True, slots=True)
class Dnat:
    """Destination rewrite for the flow; the packet leaves the table."""

    to: NatRange


@dataclass(frozen=True, slots=True)
class Snat:
    """Source rewrite for the flow; the packet leaves the table."""

    to: NatRange


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Source rewrite to an address of the link it leaves by."""

    to: NatRange


@dataclass(frozen=True, slots=True)
class Redirect:
    """Destination rewrite to the node itself."""

    to: NatRange


@dataclass(frozen=True, slots=True)
class Netmap:
    """One to one rewrite into a prefix: destination before routing and for local packets, source after routing."""

    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Log:
    """The packet is told about or copied, and goes on unchanged."""

    text: str


@dataclass(frozen=True, slots=True)
class Notrack:
    """The packet gets no conntrack entry."""


@dataclass(frozen=True, slots=True)
class Track:
    """A template for its conntrack entry: zone, helper, events, timeout."""

    text: str


@dataclass(frozen=True, slots=True)
class SetBits:
    """`field = (field & ~mask) ^ value`."""

    field: Field
    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Shift:
    """The field grows or shrinks by so much."""

    field: Field
    by: int


@dataclass(frozen=True, slots=True)
class UpdateSet:
    """Elements of ipsets come or go, or the packet takes values from one."""

    text: str
    sets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alter:
    """Something in the packet changes (checksum, class, segment size, security mark), and it goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class OpaqueTarget:
    """A target that is not modelled: it may do anything."""

    text: str


Effect = (
    Accept | Drop | Return | Continue | Jump | Goto | Queue | Reject | SetMark | SetConnectionMark | SaveMark
    | RestoreMark | Dnat | Snat | Masquerade | Redirect | Netmap | Log | Notrack | Track | SetBits | Shift | UpdateSet
    | Alter | OpaqueTarget
)  # fmt: skip


def is_terminal(effect: Effect) -> bool | None:
    """Whether no later rule of this chain sees the packet; None when that is not known."""
    match effect:
        case Accept() | Drop() | Return() | Goto() | Queue() | Reject():
            return True
        case Dnat() | Snat() | Masquerade() | Redirect() | Netmap():
            # nf_nat_setup_info binds the flow and answers NF_ACCEPT (net/netfilter/nf_nat_core.c).
            return True
        case (
            Continue() | SetMark() | SetConnectionMark() | SaveMark() | RestoreMark() | Log() | Notrack() | Track()
            | SetBits() | Shift() | UpdateSet() | Alter()
        ):  # fmt: skip
            return False
        case Jump() | OpaqueTarget():
            return None
        case _:
            assert_never(effect)

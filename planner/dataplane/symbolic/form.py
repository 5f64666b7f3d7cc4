"""What the packets of a set look like after what was done to them, and how their way ends."""

from dataclasses import dataclass, field
from typing import NamedTuple

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.models.flow import Disposition

Bits = tuple[int, int]
"""Value, and the bits of it that are not known."""


@dataclass(frozen=True, slots=True, order=True)
class Mapped:
    """An address of which some bits were set and the others are as they came (NETMAP)."""

    value: int
    mask: int
    """The bits that were set."""

    def of(self, old: int) -> int:
        """What has become of an address."""
        return (old & ~self.mask) | self.value

    def looking(self, space: Space, part: Part, asked: PacketSet) -> PacketSet:
        """Packets whose address, as it is now, is what a set asks of that field. The set may ask for nothing else."""
        return space.assuming(asked, part, self.value, self.mask)

    def inside(self, space: Space, part: Part, value: int, length: int) -> PacketSet:
        """Packets whose address lies in a prefix now."""
        return self.having(space, part, value, _prefix_mask(len(space.variables[part]), length))

    def having(self, space: Space, part: Part, value: int, mask: int) -> PacketSet:
        """Packets whose address has some bits now."""
        if (self.value ^ value) & self.mask & mask:
            return space.none
        return space.bits(part, value & ~self.mask & mask, mask & ~self.mask)

    def same(self, space: Space, part: Part, other: "Mapped") -> PacketSet:
        """Packets that two ways to set bits give one address."""
        if (self.value ^ other.value) & self.mask & other.mask:
            return space.none
        alone, others = self.mask & ~other.mask, other.mask & ~self.mask
        return space.bits(part, (self.value & alone) | (other.value & others), alone | others)


def in_prefix(space: Space, part: Part, now: int | Mapped | None, value: int, length: int) -> PacketSet:
    """Packets whose address, as it has become, lies in a prefix. None: it is as it came."""
    if now is None:
        return space.prefix(part, value, length)
    if isinstance(now, Mapped):
        return now.inside(space, part, value, length)
    shift = len(space.variables[part]) - length
    return space.all if now >> shift == value >> shift else space.none


def _prefix_mask(width: int, length: int) -> int:
    return ((1 << length) - 1) << (width - length)


class Form(NamedTuple):
    """All that packets of one set have in common. None: still as the packet entered. A tuple, as it is hashed at every rule."""

    stage: str
    """What they come to next."""
    destination: int | Mapped | None = None
    destination_port: int | None = None
    source: tuple[int, int] | Mapped | None = None
    """Lowest and highest address that it may have become."""
    source_ports: tuple[int, int] | None = None
    mark: int = 0
    mark_unknown: int = 0
    connection_mark: Bits | None = None
    """None: whatever the entry had before."""
    tos: bytes | None = None
    """For each octet that may have come, what it is now."""
    hop_limit: bytes | None = None
    translated: bool = False
    """The flow has another destination than it asked for (ctstate DNAT)."""
    translated_source: bool = False
    bound: bool = False
    """A rule has decided about the destination; the first one does."""
    bound_source: bool = False
    untracked: bool = False
    came: str = ""
    """The link, when it is not the one that the packet entered by: lo."""
    link: str = ""
    """Where it leaves by."""
    hop: str = ""
    """Next hop; empty: the destination itself."""
    across: bool = False
    """A frame for another port of the bridge, not for the node."""
    bridge: str = ""
    """Crosses this bridge as a frame."""
    port: str | None = None
    """Where it leaves the bridge by: empty where not known, None for the port that it came addressed to."""
    first_link: str = ""
    """For rules of OUTPUT: they go on seeing the link of the first lookup (nf_hook_slow() notes it once; measured)."""

    @property
    def looks(self) -> tuple[object, ...]:
        """What a match may look at."""
        return (
            self.destination, self.destination_port, self.source, self.source_ports, self.mark, self.mark_unknown,
            self.connection_mark, self.tos, self.hop_limit, self.untracked, self.came, self.link, self.first_link,
            self.bridge, self.port,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class End:
    """How a way ends. Two ends are equal when nobody outside could tell them apart."""

    disposition: Disposition
    link: str = ""
    hop: str = ""
    destination: int | Mapped | None = None
    destination_port: int | None = None
    source: tuple[int, int] | Mapped | None = None
    source_ports: tuple[int, int] | None = None
    tos: bytes | None = None
    hop_limit: bytes | None = None
    reject_kind: str = ""
    by_port: bool = False
    """Out of the bridge by the port that it came addressed to."""
    doubt: str = ""
    """For `unknown`: what is not modelled."""
    at: Form | None = None
    """For `unknown`: where and as what the packet was lost sight of."""
    rule: str = ""
    """What decided so, where ends are told apart by it: nobody outside sees it."""
    reason: str = field(default="", compare=False)
    """One of the rules that decided so."""


def silent(disposition: Disposition, reason: str = "", *, kind: str = "") -> End:
    """An end of which nothing is left."""
    return End(disposition, reject_kind=kind, reason=reason)


def lost(form: Form, doubt: str) -> End:
    """From here on it is not known what becomes of the packet."""
    return End(Disposition.UNKNOWN, doubt=doubt, at=form, reason=doubt)


def leaving(form: Form) -> End:
    """Sent, or delivered when there is no link to leave by."""
    sent = bool(form.link)
    return End(
        Disposition.SENT if sent else Disposition.DELIVERED, link=form.link, hop=form.hop if sent else "",
        destination=form.destination, destination_port=form.destination_port, source=form.source,
        source_ports=form.source_ports, tos=form.tos, hop_limit=form.hop_limit,
    )  # fmt: skip

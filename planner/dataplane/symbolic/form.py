"""What the packets of a set look like after what was done to them, and how their way ends."""

from dataclasses import dataclass, field

from planner.models.flow import Disposition

Bits = tuple[int, int]
"""Value, and the bits of it that are not known."""


@dataclass(frozen=True, slots=True)
class Form:
    """All that packets of one set have in common. None: still as the packet entered."""

    stage: str
    """What they come to next."""
    destination: int | None = None
    destination_port: int | None = None
    source: tuple[int, int] | None = None
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
    destination: int | None = None
    destination_port: int | None = None
    source: tuple[int, int] | None = None
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

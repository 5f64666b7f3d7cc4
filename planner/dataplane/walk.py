"""One run of one packet: where it is, what it met, and the answers that the run goes by."""

from collections import Counter
from dataclasses import dataclass, field, replace

from planner.dataplane.choices import Choices
from planner.dataplane.packet import Packet
from planner.dataplane.view import View
from planner.models.flow import Disposition, Hop


@dataclass(frozen=True, slots=True)
class End:
    """Where the way ends before its time."""

    disposition: Disposition
    reason: str = ""
    reject_kind: str = ""
    link: str = ""
    next_hop: str = ""
    port: str = ""
    listens: str = ""


@dataclass(slots=True)
class Walk:
    """The run."""

    view: View
    choices: Choices
    packet: Packet
    hops: list[Hop] = field(default_factory=list)
    stage: str = ""
    moved: Packet | None = None
    """As it came to a chain whose changes count for a second routing, where one made any in this turn."""
    met: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How often a rule was met at this station."""

    def change(self, **changes: object) -> None:
        """The packet, with other values."""
        self.packet = replace(self.packet, **changes)  # type: ignore[arg-type]

    def tell(self, what: str, *, stage: str = "") -> None:
        """One hop."""
        self.hops.append(Hop(stage=stage or self.stage, what=what))

    def doubt(self, reason: str) -> End | None:
        """Something that is not modelled may decide here: once as if it did not, once as unknown."""
        if self.choices.undecided(("doubt", reason), reason):
            return None
        return End(Disposition.UNKNOWN, reason)

    def setting(self, knob: str, link: str, reason: str) -> bool:
        """A knob of IPv4 links that counts when it is on for all or for the link; asks where the state is silent."""
        values = self.view.both(knob, link)
        if any(values):
            return True
        if None in values:
            return self.choices.undecided((knob, link), f"{knob} of {link} is not in the snapshot: {reason}")
        return False

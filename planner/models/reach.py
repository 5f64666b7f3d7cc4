"""What becomes of all packets on one node."""

from enum import StrEnum

from planner.models.comparison import PASSES, Ending, Exactness
from planner.models.flow import Disposition, Flow
from planner.models.noun import Noun
from planner.models.traffic import PacketBox, TrafficClass


class Heading(StrEnum):
    """What groups are listed under, in this order."""

    ARRIVING = "arriving"
    """Sent, delivered or bridged, and packets as this node really has them are among them."""
    ARRIVING_OTHERS = "arriving, others"
    UNKNOWN = "unknown"
    REFUSED = "refused"


def heading_of(disposition: Disposition, *, usual: bool) -> Heading:
    """Where packets with this end are listed."""
    if disposition in PASSES:
        return Heading.ARRIVING if usual else Heading.ARRIVING_OTHERS
    return Heading.UNKNOWN if disposition is Disposition.UNKNOWN else Heading.REFUSED


class PacketGroup(Noun):
    """All packets whose way through the node ends alike."""

    ending: Ending
    """Its reason is the rule that decided so, or what is not known."""
    witness: Flow
    """One of them, as plain as there is one."""
    exactness: Exactness = Exactness.EXACT
    because: tuple[str, ...] = ()
    """Rules or facts that are not modelled and decide here."""
    chances: tuple[str, ...] = ()
    """Draws that decide which group a packet falls into."""
    packets: tuple[str, ...] = ()
    """The group in boxes; the last one says `…` when it is cut."""
    share: float = 0.0
    """Part of all headers."""
    usual: bool = False
    """Packets as this node really has them are among them: of its pods, Services and ports, as far as these are known."""
    traffic: tuple[TrafficClass, ...] = ()
    """What people call these packets; empty where they are none of the eleven."""
    words: tuple[str, ...] = ()
    """Parts of the node's traffic that they belong to, in words."""

    @property
    def heading(self) -> Heading:
        """Where it is listed."""
        return heading_of(self.ending.disposition, usual=self.usual)


class Reach(Noun):
    """All packets of one family, grouped by what becomes of them. A packet is in one group for each way its draws can fall."""

    family: str = "ip"
    within: PacketBox | None = None
    """Only these packets were asked for; None: all."""
    groups: tuple[PacketGroup, ...] = ()
    more: dict[Heading, int] = {}
    """Groups beyond as many as were asked for; none when all were."""
    unknown: tuple[str, ...] = ()
    """Why packets may fare otherwise all the same."""
    unfinished: bool = False
    """The analysis took more than it may: the groups do not hold all packets."""
    scope: tuple[str, ...] = ()
    """Which packets this is about, and what is taken for granted."""

    def count(self, *headings: Heading) -> int:
        """Groups under them, also those that are not told."""
        told = sum(one.heading in headings for one in self.groups)
        return told + sum(self.more.get(heading, 0) for heading in headings)

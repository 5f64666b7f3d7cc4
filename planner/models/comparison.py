"""Which packets two states of a node treat differently."""

from enum import StrEnum

from planner.models.flow import Disposition, Flow, Trace
from planner.models.horizon import Horizon
from planner.models.noun import Noun
from planner.models.traffic import TrafficClass

PASSES = frozenset({Disposition.SENT, Disposition.DELIVERED, Disposition.BRIDGED})


MEASURED = frozenset({Disposition.EXPIRED, Disposition.TOO_BIG})
"""Ends that hang on how long a packet is, or how far it came."""


class Exactness(StrEnum):
    """How sure a class of packets is."""

    EXACT = "exact"
    """Every packet of it is treated differently, and what is drawn is drawn alike."""
    OVER_APPROXIMATED = "over-approximated"
    """Some are for certain, the witness among them; for others it hangs on what is not known."""
    UNKNOWN = "unknown"
    """Whether any of them is treated differently hangs on what is not known."""


class Ending(Noun):
    """What becomes of the packets of a class on one side, told by the witness."""

    disposition: Disposition
    link: str = ""
    next_hop: str = ""
    destination: str = ""
    """Where it became another one: address and port."""
    source: str = ""
    reject_kind: str = ""
    reason: str = ""
    """The rule, or what is not known."""

    @property
    def passes(self) -> bool:
        """The packet arrives somewhere."""
        return self.disposition in PASSES

    @property
    def served(self) -> bool:
        """It arrives where a translation sent it."""
        return self.passes and bool(self.destination)

    def __str__(self) -> str:
        words = [str(self.disposition)]
        if self.link:
            words.append(f"by {self.link}")
        if self.next_hop:
            words.append(f"via {self.next_hop}")
        if self.destination:
            words.append(f"to {self.destination}")
        if self.source:
            words.append(f"from {self.source}")
        if self.reject_kind:
            words.append(f"({self.reject_kind})")
        return " ".join(words)


class PacketClass(Noun):
    """Packets that are treated in one way before and in another after."""

    before: Ending
    after: Ending
    witness: Flow
    """One of them, as plain as there is one."""
    exactness: Exactness = Exactness.EXACT
    because: tuple[str, ...] = ()
    """Rules or facts that are not modelled and decide here."""
    chances: tuple[str, ...] = ()
    """Draws that must fall in one way for the difference to show."""
    packets: tuple[str, ...] = ()
    """The class in boxes; the last one says `…` when it is cut."""
    share: float = 0.0
    """Part of all headers."""
    traffic: TrafficClass | None = None
    """What people call these packets; None where it is none of the eleven."""
    part: str = ""
    """Name of the part of the node's traffic that they belong to, where the caller told parts."""
    words: str = ""
    """The part in words, completes `no longer lets through …`."""
    served: bool = False
    """They arrive only because their destination is translated."""
    from_outside: bool = False
    """New connections from beyond the cluster's, the node's and private networks are among them."""
    only_outside: bool = False
    """All of them are such connections."""
    walked_before: Trace | None = None
    """The witness through the state before, hop by hop."""
    walked_after: Trace | None = None

    @property
    def newly_blocked(self) -> bool:
        """Passed before, and does no more; or was led to who serves it, and no more is."""
        if self.before.passes and not self.after.passes:
            return self.after.disposition not in {Disposition.UNKNOWN, *MEASURED}
        return self.served and self.before.served and self.after.passes and not self.after.destination

    @property
    def newly_allowed(self) -> bool:
        """Passes now, and did not."""
        return (
            self.after.passes
            and not self.before.passes
            and self.before.disposition not in {Disposition.UNKNOWN, *MEASURED}
        )


class Loss(Noun):
    """How much of a part of the node's traffic passed and does no more."""

    part: str
    family: str = "ip"
    traffic: TrafficClass | None = None
    certain: float
    """Share of its usual packets that is lost for every draw."""
    possible: float
    """Share that is lost for some draw."""
    everything: bool = False
    """Not one of its usual packets of some kind is left."""
    near_left: bool = False
    """Senders of the cluster's, the node's and private networks pass still."""


class Idleness(StrEnum):
    """Why no packet meets a rule."""

    SHADOWED = "shadowed"
    """Earlier rules of its chain take every packet that it could meet."""
    UNREACHED = "unreached"
    """What leads to its chain lets none of its packets in."""
    UNCALLED = "uncalled"
    """Nothing leads to its chain."""


class RuleNumber(Noun):
    """A rule of the chain that is spoken of."""

    position: int
    """From 1."""
    rule: str


class DeadRule(Noun):
    """A rule that no packet can meet after the change, and that some could before, or that came with it."""

    family: str
    backend: str
    table: str
    chain: str
    rule: str
    """Canonical text after `-A CHAIN `; empty for all rules of the chain."""
    position: int | None
    """From 1, after the change; None for all rules of the chain."""
    before: int | None = None
    """Its position before the change; None when it was not there."""
    why: Idleness
    by: tuple[RuleNumber, ...] = ()
    """The rules that take its packets; one, where one alone takes all of them."""
    rules: int = 1
    """So many rules are spoken of."""


class Comparison(Noun):
    """All of it."""

    classes: tuple[PacketClass, ...] = ()
    losses: tuple[Loss, ...] = ()
    unknown: tuple[str, ...] = ()
    """Why packets beyond the classes may be treated differently all the same."""
    doubts: dict[str, tuple[str, ...]] = {}
    """Those of them that what changed can hang on, by family; a family without any is decided."""
    unfinished: tuple[str, ...] = ()
    """Families whose analysis took more than it may."""
    scope: tuple[str, ...] = ()
    """Which packets this is about, and what is taken for granted."""
    dead: tuple[DeadRule, ...] = ()
    """Rules that never act any more. What is not known of a rule is never taken for a reason."""

    @property
    def equivalent(self) -> bool:
        """Proven: no packet within the scope is treated differently."""
        return not self.classes and not self.unknown

    @property
    def newly_blocked(self) -> tuple[PacketClass, ...]:
        """Classes that passed and do no more."""
        return tuple(one for one in self.classes if one.newly_blocked)

    @property
    def newly_allowed(self) -> tuple[PacketClass, ...]:
        """Classes that pass now and did not."""
        return tuple(one for one in self.classes if one.newly_allowed)


class NodeComparison(Noun):
    """A comparison of one node's two states at one horizon."""

    node: str
    horizon: Horizon
    comparison: Comparison

"""Packets that are treated differently, and paths that must stay open, as lines that every form of a report draws."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from planner.models.assessment import Assessment
from planner.models.comparison import Comparison, Exactness, PacketClass
from planner.models.horizon import Horizon
from planner.models.invariant import Kept
from planner.models.traffic import TrafficClass
from planner.report.comparison import verdict

SHOWN_ODD, SHOWN_UNKNOWN = 3, 6
BLOCKED, LET_THROUGH, OTHERWISE = "blocked", "let through", "otherwise"
BROKEN, SHUT, DOUBTFUL, MENDED, ALREADY = "broken", "shut meanwhile", "not known", "mended", "broken before"
TRAFFIC = {
    TrafficClass.POD_TO_POD_SAME_NODE: "pods of the node among themselves",
    TrafficClass.POD_TO_POD_CROSS_NODE: "pods and pods of other nodes",
    TrafficClass.POD_TO_SERVICE: "pods to Services",
    TrafficClass.POD_TO_EXTERNAL: "pods and the outside",
    TrafficClass.EXTERNAL_TO_NODEPORT_LB: "clients to NodePorts and load balancers",
    TrafficClass.HOSTPORT: "clients to host ports",
    TrafficClass.DNS: "DNS",
    TrafficClass.NODE_TO_APISERVER: "node and API server",
    TrafficClass.NODE_MANAGEMENT: "management of the node",
    TrafficClass.KUBELET_PROBES: "health probes",
    TrafficClass.HOST_EGRESS: "the node and the outside",
}


@dataclass(frozen=True, slots=True)
class PacketLine:
    """One class."""

    kind: str
    who: str
    witness: str
    before: str
    after: str
    sure: str
    """Empty where it is exact."""
    named: bool
    """It is traffic that people name."""

    @property
    def text(self) -> str:
        """On one line."""
        sure = f" ({self.sure})" if self.sure else ""
        return f"{self.who}: {self.witness}: {self.before} → {self.after}{sure}"


@dataclass(frozen=True, slots=True)
class Packets:
    """One node at one horizon."""

    node: str
    onset: str
    verdict: str
    lines: tuple[PacketLine, ...]
    """What is taken away first, then what is let through, then the rest; what no traffic class knows comes last."""
    unknown: tuple[str, ...]
    scope: tuple[str, ...]

    @property
    def title(self) -> str:
        """Who, when, what."""
        return f"{self.node}, {self.onset}: {self.verdict}"


@dataclass(frozen=True, slots=True)
class PathLine:
    """One path that does not simply hold."""

    kind: str
    words: str
    why: str

    @property
    def text(self) -> str:
        """On one line."""
        return f"{self.words}: {self.why}" if self.why else self.words


def packets_of(assessment: Assessment) -> tuple[Packets, ...]:
    """For each representative and horizon that was compared; a later one only where it tells something."""
    return tuple(
        Packets(
            node=one.node,
            onset=one.horizon.words,
            verdict=verdict(one.comparison),
            lines=tuple(_line(each) for each in sorted(one.comparison.classes, key=_rank)),
            unknown=one.comparison.unknown,
            scope=one.comparison.scope,
        )
        for one in assessment.packets
        if one.horizon is Horizon.NOW or not one.comparison.equivalent
    )


def in_short(assessment: Assessment) -> str:
    """For the head of a report: proven equal, how many classes, or why nothing is said."""
    if not assessment.packets:
        return "none compared: nothing that moves packets changes" if assessment.changes else "none compared"
    classes = [one for part in assessment.packets for one in part.comparison.classes]
    unknown = {text for part in assessment.packets for text in part.comparison.unknown}
    if not classes and not unknown:
        return "equivalent: proven"
    return verdict(Comparison(classes=tuple(classes), unknown=tuple(sorted(unknown))))


def paths_of(assessment: Assessment) -> tuple[PathLine, ...]:
    """What is broken by the change first, what was broken already last."""
    lines = [_path(one) for one in assessment.invariants]
    order = (BROKEN, SHUT, DOUBTFUL, MENDED, ALREADY)
    return tuple(
        sorted((line for line in lines if line is not None), key=lambda line: order.index(line.kind))
    )


def _rank(one: PacketClass) -> tuple[bool, int, bool]:
    kind = 0 if one.newly_blocked else 1 if one.newly_allowed else 2
    return one.traffic is None, kind, one.witness.state != "NEW"


def _line(one: PacketClass) -> PacketLine:
    kind = BLOCKED if one.newly_blocked else LET_THROUGH if one.newly_allowed else OTHERWISE
    who = one.words or (TRAFFIC[one.traffic] if one.traffic is not None else "other packets")
    state = "" if one.witness.state == "NEW" else f", {one.witness.state}"
    sure = "" if one.exactness is Exactness.EXACT else str(one.exactness)
    if sure and one.because:
        sure = f"{sure}: {one.because[0]}"
    why = f", {one.after.reason}" if one.after.reason else ""
    return PacketLine(
        kind,
        who,
        f"{one.witness}{state}",
        str(one.before),
        f"{one.after}{why}",
        sure,
        one.traffic is not None,
    )


def _path(one: Kept) -> PathLine | None:
    words = f"{one.node}: {one.path.words}"
    if one.step is not None:
        return PathLine(SHUT, words, f"after step {one.step}: {one.after.reason}")
    later = f" ({one.horizon.words})"
    for applies, kind, why in (
        (one.newly_broken, BROKEN, f"{one.after.reason}{later}"),
        (one.doubtful, DOUBTFUL, f"{one.after.reason}{later}"),
        (one.mended, MENDED, f"{one.before.reason}{later}"),
        (one.already_broken, ALREADY, one.before.reason),
    ):
        if applies:
            return PathLine(kind, words, why)
    return None


def drawn_lines(part: Packets, limit: int | None) -> Iterator[str]:
    """Classes of traffic that people name, up to a limit; all others are counted. Without a limit: everything."""
    named = [line for line in part.lines if line.named]
    shown = part.lines if limit is None else named[:limit] or part.lines[:SHOWN_ODD]
    for line in shown:
        yield f"{line.kind:<11} {line.text}"
    rest, odd = len(named) - sum(line.named for line in shown), sum(not line.named for line in part.lines)
    odd -= sum(not line.named for line in shown)
    if rest:
        yield f"and {classes(rest)} more"
    if odd:
        yield f"and {classes(odd)} of packets that nobody should send: odd addresses, invalid, at their hop limit"
    for text in part.unknown[:SHOWN_UNKNOWN] if limit is not None else part.unknown:
        yield f"not known   {text}"


def classes(number: int) -> str:
    """`1 class`, `2 classes`."""
    return f"{number} class{'' if number == 1 else 'es'}"


class PacketClassV1(BaseModel):
    """Packets that are treated in one way before and in another after, told by one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    node: str
    onset: str
    kind: str = Field(description="blocked, let through, otherwise")
    traffic: str | None = Field(description="one of the eleven classes; null: none of them")
    witness: str
    before: str
    after: str
    exactness: str
    because: tuple[str, ...]


class PathV1(BaseModel):
    """A path that must stay open and does not simply hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    node: str
    invariant: str
    kind: str = Field(description="broken, shut meanwhile, not known, mended, broken before")
    traffic: str
    text: str
    step: int | None = Field(description="after which it is shut, and open again at the end")


def published_packets(assessment: Assessment) -> Iterator[PacketClassV1]:
    """Every class, for programs."""
    for part in assessment.packets:
        for one in sorted(part.comparison.classes, key=_rank):
            line = _line(one)
            yield PacketClassV1(
                node=part.node,
                onset=part.horizon.words,
                kind=line.kind,
                traffic=None if one.traffic is None else one.traffic.value,
                witness=line.witness,
                before=line.before,
                after=line.after,
                exactness=str(one.exactness),
                because=one.because,
            )


def published_paths(assessment: Assessment) -> Iterator[PathV1]:
    """Every path that does not simply hold, for programs."""
    for one in assessment.invariants:
        line = _path(one)
        if line is not None:
            yield PathV1(
                node=one.node,
                invariant=one.path.invariant,
                kind=line.kind,
                traffic=one.path.traffic.value,
                text=line.text,
                step=one.step,
            )

"""Packets and paths in the published JSON form."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from planner.models.assessment import Assessment
from planner.models.invariant import Kept
from planner.report.packets import decided_by, kind_of, places


class PacketClassV1(BaseModel):
    """Packets that are treated in one way before and in another after, told by one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    node: str
    onset: str
    kind: str = Field(description="blocked, let through, otherwise; unknown where it is not decided")
    traffic: str | None = Field(description="one of the eleven classes; null: none of them")
    packets: str = Field(description="whose packets, in words; empty: nobody's")
    witness: str
    before: str
    after: str
    exactness: str
    because: tuple[str, ...]
    rule: str = Field(description="what decides; empty where nothing can be named")
    place: str = Field(description="file and line of the proposal; empty where it cannot be told")


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
    where = places(assessment)
    for part in assessment.packets:
        ranked = sorted(
            part.comparison.classes, key=lambda one: (one.traffic is None, one.witness.state != "NEW")
        )
        for one in ranked:
            yield PacketClassV1(
                node=part.node,
                onset=part.horizon.words,
                kind=kind_of(one),
                traffic=None if one.traffic is None else one.traffic.value,
                packets=one.words,
                witness=f"{one.witness}" + ("" if one.witness.state == "NEW" else f", {one.witness.state}"),
                before=str(one.before),
                after=str(one.after),
                exactness=str(one.exactness),
                because=one.because,
                rule=decided_by(one),
                place=where(part.node, one),
            )


def published_paths(assessment: Assessment) -> Iterator[PathV1]:
    """Every path that does not simply hold, for programs."""
    for one in assessment.invariants:
        side = one.before if one.mended else one.after
        yield PathV1(
            node=one.node,
            invariant=one.path.invariant,
            kind=_lot(one),
            traffic=one.path.traffic.value,
            text=f"{one.path.words}: {side.reason}" if side.reason else one.path.words,
            step=one.step,
        )


def _lot(one: Kept) -> str:
    if one.step is not None:
        return "shut meanwhile"
    if one.newly_broken:
        return "broken"
    return "not known" if one.doubtful else "mended" if one.mended else "broken before"

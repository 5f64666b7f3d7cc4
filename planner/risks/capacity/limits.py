"""A limit that falls, weighed against what is used of it: one answer for every table that can be full."""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review
from planner.topology.capacity import Headroom

HOST_SOCKETS = (TrafficClass.HOST_EGRESS, TrafficClass.NODE_TO_APISERVER, TrafficClass.KUBELET_PROBES)
"""Classes in which the host opens the connection."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a judge says of its own limit; `weigh` says how near it is."""

    risk: str
    falls: str
    """`On node-1 the limit of tracked flows falls from 262,144 to 65,536`."""
    used: str
    """Says what the used ones are: `tracked`, `open`, `in use (the kernel's own count)`."""
    lost: str
    """What happens at the limit, to follow a colon."""
    breaks: tuple[TrafficClass, ...]
    full: Extent
    """How much of it is lost while the limit is below the use."""
    reversibility: Reversibility = Reversibility.FULL
    undo: str = ""


def weigh(
    change: SysctlChange, review: Review, room: Headroom, limit: int, claim: Claim
) -> Iterator[Finding]:
    """One finding: lost now, under load, not known, or room enough. For lowered limits only; raising is quiet."""
    likely = Confidence.LIKELY if room.at_least else Confidence.PROVEN
    base = Finding(
        risk=claim.risk,
        change=change,
        message=claim.falls,
        breaks=claim.breaks,
        extent=Extent.INTERMITTENT,
        capacity=True,
        onset=change.horizon,
        confidence=likely,
        pods=review.topology.pods,
        reversibility=claim.reversibility,
        undo=claim.undo,
    )
    if room.used is None:
        yield _told(
            base,
            f"{claim.falls}; how many are {claim.used} is not known. At the limit {claim.lost}.",
            confidence=Confidence.UNKNOWN,
            unknown_because=room.unknown_because,
        )
        return
    now = f"{room.used:,} are {claim.used}"
    keep = f"Keep at least {max(int(room.used * review.growth), room.expected):,}."
    if room.used >= limit:
        message = f"{claim.falls} while {now}: {claim.lost}."
        yield _told(base, message, extent=claim.full, capacity=False, remedy=keep)
    elif max(room.used * review.growth, room.expected) > limit:
        if room.expected > limit or not room.used:
            when = f"{room.expected:,} peers may each need one"
        else:
            when = f"{limit / room.used:.1f} times the load reaches the limit, and {review.growth:g} times is asked for"
        yield _told(base, f"{claim.falls} while {now}. {when}; then {claim.lost}.", remedy=keep)
    else:
        yield _told(
            base,
            f"{claim.falls}; {now}, so there is room.",
            breaks=(),
            extent=Extent.NONE,
            pods=None,
            confidence=Confidence.UNKNOWN if room.at_least else Confidence.PROVEN,
            unknown_because=room.unknown_because if room.at_least else "",
        )


def _told(base: Finding, message: str, **facts: object) -> Finding:
    return base.model_copy(update={"message": message, **facts})


def present(review: Review) -> NodeState:
    """The node as it is: its figures of use are those of now, whenever the change shows."""
    return review.outlook.before.get(Horizon.NOW, review.before)


def whole(text: str | None) -> int | None:
    """A sysctl's single number; None when absent or not one."""
    word = text.strip() if text is not None else ""
    return int(word) if word.isascii() and word.isdigit() else None


def vector(text: str | None, former: str | None) -> tuple[int, ...]:
    """Several numbers; too few of them leave the last ones as they were (kernel/sysctl.c proc_doulongvec_minmax)."""
    numbers = tuple(int(word) for word in (text or "").split() if word.isascii() and word.isdigit())
    before = tuple(int(word) for word in (former or "").split() if word.isascii() and word.isdigit())
    return numbers + before[len(numbers) :]


def from_to(before: int | None, after: int) -> str:
    """`from 262,144 to 65,536`, or `to 65,536` when the former number is not known."""
    return f"from {before:,} to {after:,}" if before else f"to {after:,}"

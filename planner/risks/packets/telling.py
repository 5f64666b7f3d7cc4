"""What risks of packets share: who speaks, what was said already, and how a class reads in a sentence."""

from collections.abc import Iterable, Iterator, Sequence

from planner.models.change import Change
from planner.models.comparison import Ending, Exactness, PacketClass
from planner.models.finding import Confidence, Extent, Finding
from planner.models.flow import Disposition
from planner.models.traffic import TrafficClass
from planner.risks.moved import Moved
from planner.risks.risk import Review

ASIDE = frozenset({"odd", "refused", "other", "unserved", "vacant", "sizes", "passing"})
"""Parts of which nobody misses anything."""
MOST = 5
"""Parts that one sentence names."""
LOUDNESS = {Extent.NONE: 0, Extent.PARTIAL: 1, Extent.INTERMITTENT: 2, Extent.TOTAL: 3}


def speaking(change: Change, review: Review) -> Moved | None:
    """The packets of the change's horizon, for the first of its changes only: one speaks for all."""
    moved = review.moved
    return moved if moved is not None and moved.movers and moved.movers[0] is change else None


def certain(moved: Moved) -> Iterator[tuple[PacketClass, tuple[Change, ...]]]:
    """Classes of which it is known that they are treated differently."""
    for one, changes in moved.blamed:
        if one.exactness is not Exactness.UNKNOWN and one.part not in ASIDE:
            yield one, changes


def about(said: Sequence[Finding], changes: Sequence[Change]) -> list[Finding]:
    """What was said of these changes."""
    wanted = {id(change) for change in changes}
    return [
        finding for finding in said if any(id(one) in wanted for one in (finding.change, *finding.related))
    ]


def is_told(said: Sequence[Finding], changes: Sequence[Change], kind: TrafficClass, extent: Extent) -> bool:
    """Whether somebody said that this class is lost, at least as loudly, by these changes or wholly by any."""
    return any(
        finding.confidence is not Confidence.UNKNOWN
        and kind in finding.breaks
        and (finding.cuts_undo or LOUDNESS[finding.extent] >= LOUDNESS[extent])
        for finding in about(said, changes)
    ) or any(
        finding.confidence is not Confidence.UNKNOWN
        and kind in finding.breaks
        and finding.extent is Extent.TOTAL
        and finding.onset <= changes[0].horizon
        for finding in said
    )


def parts_in_words(classes: Iterable[PacketClass]) -> str:
    """Which parts of the traffic, each once; what is nobody's only where nothing else is there."""
    every = list(classes)
    telling = [one for one in every if one.part not in {"node", "self", "pods-to-node"}]
    return enumerated(dict.fromkeys(one.words for one in telling or every))


def enumerated(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a; b; and c`, `a; b; c; d; and 3 more`."""
    found = list(words)
    if len(found) > MOST:
        found = [*found[: MOST - 1], f"{len(found) - MOST + 1} more"]
    if len(found) <= 1:
        return "".join(found)
    return f"{found[0]} and {found[1]}" if len(found) == 2 else "; ".join(found[:-1]) + f"; and {found[-1]}"


def example(one: PacketClass) -> str:
    """`10.244.1.2:40000 → 10.96.0.10:53 udp, in cni0, was accepted locally; now it is dropped by …`."""
    state = "" if one.witness.state == "NEW" else f" ({one.witness.state})"
    return (
        f"{one.witness}{state}: before, {ends(one.before, one, before=True)}; after, {ends(one.after, one)}"
    )


def ends(ending: Ending, one: PacketClass, *, before: bool = False) -> str:
    """How a side ends, with the rule or value that decides."""
    trace = one.walked_before if before else one.walked_after
    reason = (trace.reason if trace is not None else "") or ending.reason
    told = {
        Disposition.SENT: "sent",
        Disposition.DELIVERED: "accepted by the node",
        Disposition.DROPPED: "dropped",
    }.get(ending.disposition, str(ending.disposition))
    other = one.after if before else one.before
    same = ending.link == other.link and ending.next_hop != other.next_hop
    words = str(ending if same else ending.model_copy(update={"next_hop": ""})).replace(
        str(ending.disposition), told, 1
    )
    return f"{words} ({reason})" if reason and not ending.passes else words

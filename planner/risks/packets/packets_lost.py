"""Packets that passed before do not pass any more.

## Why it matters

Every packet that the node can meet was followed through both states at once. What is told here is no guess from the text of
a rule: the packet that is named passed, and is dropped, refused or led nowhere after the change.

## When it bites

When the change does, for new connections; for open ones where the witness is an ESTABLISHED packet.

## How to undo

The inverse change; see the plan.

## How to check

`netchange compare` shows every class with its witness, `netchange trace` the way of one packet.
"""

from collections.abc import Iterator

from planner.models.change import Change
from planner.models.comparison import Loss, PacketClass
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.flow import Disposition
from planner.models.traffic import TrafficClass
from planner.risks.moved import MOVERS, Moved, Mover
from planner.risks.packets.telling import about, certain, example, is_told, parts_in_words, speaking
from planner.risks.risk import Review, Risk

PRACTICALLY_ALL = 0.9
"""Share of a part's usual packets from which we say that it is lost."""
OVERLAY = (TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS)
CARRIES = {"overlay-in": OVERLAY, "overlay-out": OVERLAY, "bgp": OVERLAY}
"""What is lost with a part, where it is more than its own class."""
A_SHARE = frozenset(
    {"nodeports-for-pods", "hostports-for-pods", "kubelet-calls", "kubelet-answers", "bgp"}
)  # fmt: skip
"""Parts that are lost without their class's being lost."""
ANY_SENDER = frozenset(
    {"ssh", "ssh-answers", "kubelet-calls", "kubelet-answers", "apiserver", "apiserver-answers"}
)
"""Parts that a single sender in use makes: as long as one may pass, they are not lost."""
CUTS_UNDO = frozenset({"ssh", "ssh-answers"})
KEPT_FROM_STRANGERS = frozenset({"ssh", "kubelet-calls", "apiserver", "listeners", "overlay-in", "bgp"})
"""What strangers are refused without anybody's missing it."""
IDLE = frozenset({"node", "pods-to-node", "self"})
"""Parts beside those of programs that listen."""
CLOSED = frozenset({"listeners", "listeners-for-pods", "own-listeners", "behind"})
"""What answers without being a traffic class."""


def judge(change: Mover, review: Review) -> Iterator[Finding]:
    """One finding for all that the same changes take away to the same extent."""
    moved = speaking(change, review)
    if moved is None:
        return
    groups: dict[tuple[tuple[int, ...], Extent], list[tuple[PacketClass, tuple[TrafficClass, ...]]]] = {}
    by_key: dict[tuple[int, ...], tuple[Change, ...]] = {}
    losses = {(loss.part, loss.family): loss for loss in moved.comparison.losses}
    main = (
        "ip"
        if any(
            a.family == "ip" and a.scope == "global" for link in review.before.links for a in link.addresses
        )
        else "ip6"
    )
    for one, changes in certain(moved):
        if one.newly_blocked and not _asymmetric(one, review) and not _unheard(one):
            key = tuple(map(id, changes))
            by_key[key] = changes
            kinds = _kinds(one, losses.get((one.part, one.witness.family)))
            extent = _extent(one, losses.get((one.part, one.witness.family))) if kinds else Extent.PARTIAL
            if one.witness.family != main and extent is Extent.TOTAL:
                extent = Extent.PARTIAL  # the other family is there for the same
            if not any(is_told(review.said, changes, kind, extent) for kind in kinds):
                groups.setdefault((key, extent if kinds else Extent.NONE), []).append((one, kinds))
    spoken: set[int] = set()
    for (key, extent), found in sorted(groups.items(), key=lambda item: item[0][1] is Extent.NONE):
        changes = by_key[key]
        if extent is Extent.NONE:
            if spoken & set(key) or about(review.said, changes):
                continue
            yield _aside(changes, [one for one, _ in found], moved)
        else:
            spoken |= set(key)
            yield _finding(changes, found, extent)


def _unheard(one: PacketClass) -> bool:
    """Nobody listened where it was taken."""
    walked = one.walked_before
    heard = {"nobody", ""} if one.part == "self" else {"nobody"}
    return one.part in IDLE and walked is not None and walked.listens in heard


def _asymmetric(one: PacketClass, review: Review) -> bool:
    """Came from elsewhere by another link than answers go: that it does is not known, and the risks of the source check tell it."""
    inner = {*review.topology.bridges, *review.topology.pod_links}
    return one.after.disposition is Disposition.RP_FILTER and one.witness.entry.link not in inner


def _kinds(one: PacketClass, loss: Loss | None) -> tuple[TrafficClass, ...]:
    if one.only_outside and one.part in KEPT_FROM_STRANGERS and loss is not None and loss.near_left:
        return ()
    return CARRIES.get(one.part, () if one.traffic is None else (one.traffic,))


def _extent(one: PacketClass, loss: Loss | None) -> Extent:
    if loss is None or one.part in A_SHARE:
        return Extent.PARTIAL
    if one.part in ANY_SENDER:
        return Extent.TOTAL if loss.everything else Extent.PARTIAL
    if loss.certain >= PRACTICALLY_ALL:
        return Extent.TOTAL
    return Extent.INTERMITTENT if loss.possible >= PRACTICALLY_ALL else Extent.PARTIAL


def _finding(
    changes: tuple[Change, ...], found: list[tuple[PacketClass, tuple[TrafficClass, ...]]], extent: Extent
) -> Finding:
    first = changes[0]
    words = parts_in_words(one for one, _ in found)
    how = {Extent.PARTIAL: "some of: ", Extent.INTERMITTENT: "now and then: "}.get(extent, "")
    cut = extent is Extent.TOTAL and any(one.part in CUTS_UNDO for one, _ in found)
    return Finding(
        risk=RISK.id, change=first, related=changes[1:],
        message=f"{first.node} no longer lets through {how}{words}. {example(found[0][0])}.",
        breaks=tuple(dict.fromkeys(kind for _, kinds in found for kind in kinds)), extent=extent, cuts_undo=cut,
        onset=first.horizon, reversibility=Reversibility.WITH_LOSS if cut else Reversibility.FULL,
        undo="It may need the console." if cut else "",
        remedy="Confine the change to what it is meant for, or let these packets through before it.",
    )  # fmt: skip


def _aside(changes: tuple[Change, ...], found: list[PacketClass], moved: Moved) -> Finding:
    """Of packets that belong to none of the traffic classes."""
    first = changes[0]
    closed = next((one for one in found if one.part in CLOSED and not one.only_outside), None)
    words = parts_in_words(found)
    return Finding(
        risk=RISK.id, change=first, related=changes[1:],
        message=f"{first.node} no longer lets through {words}. {example(closed or found[0])}.",
        side_effects=("path-closed",) if closed is not None else (), onset=moved.horizon,
        confidence=Confidence.PROVEN,
    )  # fmt: skip


RISK = Risk[Mover](
    id="packets-lost",
    title="Packets that passed are lost",
    on=MOVERS,
    judge=judge,
    sources=("Linux, include/uapi/linux/netfilter_ipv4.h; docs/concepts/data-plane.md",),
    verify="iptables-save; ip route show table all; ip rule show",
    last=2,
)

"""Packets pass that did not pass before.

## Why it matters

What a firewall kept out gets in. It is told loudly where new connections from beyond the cluster's, the node's and private
networks reach a pod, a Service or a program that listens; an accept for private senders, or for a port that nobody serves,
is a note.

## When it bites

When the change does.

## How to undo

The inverse change; see the plan.

## How to check

`netchange compare` shows every class with its witness; `ss -lntu` who listens.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from planner.models.change import Change
from planner.models.comparison import PacketClass
from planner.models.finding import Finding
from planner.models.flow import Disposition
from planner.risks.moved import MOVERS, Mover
from planner.risks.packets.telling import about, certain, example, parts_in_words, speaking
from planner.risks.risk import Review, Risk

SERVED = frozenset(
    {"nodeports", "hostports", "ssh", "kubelet-calls", "apiserver", "loadbalancers", "services-from-outside", "listeners", "outside-to-pods"}
)  # fmt: skip
"""Parts behind which somebody answers."""
GUARDED = SERVED | {"node", "pods-to-node", "listeners-for-pods", "behind"}
"""Parts that a firewall keeps closed; what others get back is no danger."""


def judge(change: Mover, review: Review) -> Iterator[Finding]:
    """One finding for what the same changes open to strangers, one for what they open else."""
    moved = speaking(change, review)
    if moved is None:
        return
    groups: dict[tuple[tuple[int, ...], bool], list[PacketClass]] = {}
    by_key: dict[tuple[int, ...], tuple[Change, ...]] = {}
    for one, changes in certain(moved):
        if one.newly_allowed and one.part in GUARDED and not _idle(one):
            key = tuple(map(id, changes))
            by_key[key] = changes
            groups.setdefault((key, _exposes(one)), []).append(one)
    for (key, exposes), found in groups.items():
        changes = by_key[key]
        said = about(review.said, changes)
        if any(finding.exposes for finding in said) or (said and not exposes):
            continue
        if not exposes and (key, True) in groups:
            continue
        first = changes[0]
        words = parts_in_words(found)
        yield Finding(
            risk=RISK.id, change=first, related=changes[1:],
            message=f"{first.node} newly {'answers strangers' if exposes else 'lets through'}: {words}. {example(found[0])}.",
            exposes=exposes, onset=first.horizon,
            side_effects=("security-exposure",) if exposes else (),
            remedy="Confine the accept to the senders that are meant." if exposes else "",
        )  # fmt: skip


def _idle(one: PacketClass) -> bool:
    """Nobody has a way to send it: a private address of a pod means nothing outside."""
    private = ip_address(one.witness.destination).is_private
    return one.part == "outside-to-pods" and private


def _exposes(one: PacketClass) -> bool:
    if not one.from_outside or one.witness.state != "NEW" or one.part not in SERVED:
        return False
    after = one.walked_after
    nobody = after is not None and after.disposition is Disposition.DELIVERED and after.listens == "nobody"
    return not nobody


RISK = Risk[Mover](
    id="packets-let-in",
    title="Packets pass that did not",
    on=MOVERS,
    judge=judge,
    sources=("RFC 1918; docs/concepts/data-plane.md",),
    verify="iptables-save; ss -lntu",
    last=2,
)

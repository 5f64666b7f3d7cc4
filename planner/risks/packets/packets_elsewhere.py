"""Packets still pass, but elsewhere or as somebody else's: by another link, from or to another address.

## Why it matters

Another source address is what servers, access lists and NetworkPolicies see. Another link or next hop may be slower, may be
guarded otherwise, or may not bring the answers back.

## When it bites

For new connections; open ones keep their translation.

## How to undo

The inverse change; see the plan.

## How to check

`netchange compare` shows every class with its witness; `ip route get`, `conntrack -L`.
"""

from collections.abc import Iterator
from enum import StrEnum

from planner.models.change import Change
from planner.models.comparison import PacketClass
from planner.models.finding import Finding
from planner.risks.moved import MOVERS, Mover
from planner.risks.packets.telling import about, certain, example, parts_in_words, speaking
from planner.risks.risk import Review, Risk
from planner.topology.prefixes import inside


class How(StrEnum):
    """What differs, the one that matters most."""

    SOURCE = "other senders see or are seen"
    WAY = "way"
    DESTINATION = "destination"
    SERVED = "served"
    MARKS = "marks"
    HOME = "home"


IDLE = frozenset({"node", "pods-to-node", "self"})
"""Parts in which nobody need be listening."""
MEDIUM = {How.SOURCE: "source-ip-lost", How.WAY: "path-changed", How.DESTINATION: "path-changed"}


def judge(change: Mover, review: Review) -> Iterator[Finding]:
    """One finding for each manner in which the same changes lead packets otherwise."""
    moved = speaking(change, review)
    if moved is None:
        return
    groups: dict[tuple[tuple[int, ...], How], list[PacketClass]] = {}
    by_key: dict[tuple[int, ...], tuple[Change, ...]] = {}
    for one, changes in certain(moved):
        if one.before.passes and one.after.passes and not one.newly_blocked:
            key = tuple(map(id, changes))
            by_key[key] = changes
            groups.setdefault((key, _how(one, review)), []).append(one)
    for (key, how), found in groups.items():
        changes = by_key[key]
        if about(review.said, changes):
            continue
        first = changes[0]
        words = parts_in_words(found)
        known = MEDIUM.get(how)
        yield Finding(
            risk=RISK.id, change=first, related=changes[1:],
            message=f"On {first.node} {_verb(how)} {words}. {example(found[0])}.",
            side_effects=() if known is None else (known,), onset=first.horizon,
        )  # fmt: skip


def _how(one: PacketClass, review: Review) -> How:
    before, after = one.before, one.after
    if before.source != after.source and after.destination == before.destination:
        return How.SOURCE
    if before.destination != after.destination:
        pods = review.topology_after.pod_ranges
        known = not after.destination or inside(after.destination.partition(":")[0], pods) or _by_service(one)
        listens = one.walked_before.listens if one.walked_before is not None else "unknown"
        idle = listens == "nobody" or (one.part in IDLE and not listens)
        return How.SERVED if known and (one.served or idle) else How.DESTINATION
    if (before.link, before.next_hop) != (after.link, after.next_hop):
        return How.HOME if _led_home(one, review) else How.WAY
    return How.MARKS


def _by_service(one: PacketClass) -> bool:
    """Whether kube-proxy's own chain of an endpoint gives the new destination (pkg/proxy/iptables/proxier.go, KUBE-SEP-)."""
    return one.walked_after is not None and any(
        hop.chain.startswith("KUBE-SEP-") for hop in one.walked_after.hops
    )


def _led_home(one: PacketClass, review: Review) -> bool:
    """Whether the next hop is the node whose pods are asked for."""
    wanted = one.after.destination.partition(":")[0] or one.witness.destination
    return any(
        one.after.next_hop in node.addresses and inside(wanted, node.pod_cidrs)
        for node in (review.cluster.nodes if review.cluster is not None else ())
    )


def _verb(how: How) -> str:
    return {
        How.SOURCE: "another source address is given to",
        How.WAY: "another way is taken by",
        How.DESTINATION: "another destination is given to",
        How.SERVED: "other endpoints serve",
        How.MARKS: "other marks are carried by",
        How.HOME: "the way that leads to their node is taken by",
    }[how]


RISK = Risk[Mover](
    id="packets-elsewhere",
    title="Packets go another way",
    on=MOVERS,
    judge=judge,
    sources=("ip-route(8), get; docs/concepts/data-plane.md",),
    verify="iptables-save -t nat; ip route show table all; ip rule show",
    last=2,
)

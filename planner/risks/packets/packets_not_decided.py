"""Whether packets are treated differently hangs on something that is not known or not modelled.

## Why it matters

The comparison of all packets did not end in a proof. What is named is the rule or the fact on which it hangs. Silence would
pass ignorance for safety.

## When it bites

When the change does.

## How to undo

The inverse change; see the plan.

## How to check

`netchange compare` shows what is known; probe the named packet on the first node.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from planner.models.change import (
    ChainChange,
    ChainPolicyChange,
    Change,
    IpSetChange,
    LinkChange,
    NativeObjectChange,
    NativeRuleChange,
    NativeTableChange,
    NextHopChange,
    PolicyRuleChange,
    RouteChange,
    RuleChange,
    SysctlChange,
)
from planner.models.comparison import Exactness, PacketClass
from planner.models.finding import Confidence, Extent, Finding
from planner.models.flow import Disposition
from planner.risks.moved import MOVERS, Moved, Mover
from planner.risks.packets.telling import ASIDE, about, enumerated, parts_in_words, speaking
from planner.risks.risk import Review, Risk

KINDS: dict[type[Change], str] = {
    RuleChange: "rule",
    ChainChange: "chain",
    ChainPolicyChange: "chain policy",
    IpSetChange: "ipset",
    NativeTableChange: "nft table",
    NativeRuleChange: "nft rule",
    NativeObjectChange: "nft declaration",
    RouteChange: "route",
    PolicyRuleChange: "policy rule",
    NextHopChange: "nexthop",
}
UNTOLD = ASIDE | {"self"}
SHOWN = 3
"""Reasons that are named."""
REMEDY = (
    "Ask `netchange compare` with the same files which packets it is, and probe that path on the first node."
)


def judge(change: Mover, review: Review) -> Iterator[Finding]:
    """Classes that are not decided, then what keeps the whole from being a proof."""
    moved = speaking(change, review)
    if moved is None:
        return
    spoken: set[int] = set()
    yield from _classes(moved, review, spoken)
    yield from _whole(moved, review, spoken)


def _classes(moved: Moved, review: Review, spoken: set[int]) -> Iterator[Finding]:
    groups: dict[tuple[tuple[int, ...], bool], list[PacketClass]] = {}
    by_key: dict[tuple[int, ...], tuple[Change, ...]] = {}
    for one, changes in moved.blamed:
        if one.exactness is Exactness.UNKNOWN and one.part not in UNTOLD:
            key = tuple(map(id, changes))
            by_key[key] = changes
            groups.setdefault((key, _takes(one)), []).append(one)
    for (key, takes), found in groups.items():
        changes = by_key[key]
        if about(review.said, changes):
            continue
        spoken |= set(key)
        first = changes[0]
        reasons = list(dict.fromkeys(reason for one in found for reason in one.because))
        words = parts_in_words(found)
        errs = "something may be lost" if takes else "at most more is let through"
        yield Finding(
            risk=RISK.id, change=first, related=changes[1:],
            message=f"Whether {first.node} treats {words} as before is not known, and {errs}; for one, {found[0].witness}.",
            extent=Extent.PARTIAL if takes else Extent.NONE, onset=first.horizon, confidence=Confidence.UNKNOWN,
            unknown_because=_listed(reasons), remedy=REMEDY,
        )  # fmt: skip


def _whole(moved: Moved, review: Review, spoken: set[int]) -> Iterator[Finding]:
    """For changes of which nobody said anything, where reasons are left why more may differ."""
    by_reasons: dict[tuple[str, ...], list[Change]] = {}
    for change in moved.movers:
        if isinstance(change, SysctlChange | LinkChange):
            continue  # most values and links decide about nothing here
        if (
            id(change) not in spoken
            and id(change) not in moved.at_fault
            and not about(review.said, (change,))
        ):
            reasons = moved.doubts(change)
            if reasons:
                by_reasons.setdefault(reasons, []).append(change)
    for reasons, changes in by_reasons.items():
        first = changes[0]
        takes = any(moved.unfinished(one) or moved.unseen(one) for one in changes)
        errs = (
            "What it can take away is not known"
            if takes
            else "No packet was found that it treats differently"
        )
        yield Finding(
            risk=RISK.id, change=first, related=tuple(changes[1:]),
            message=f"On {first.node} nothing is proven about {_what(changes)}. {errs}.",
            extent=Extent.PARTIAL if takes else Extent.NONE, onset=first.horizon, confidence=Confidence.UNKNOWN,
            unknown_because=_listed(reasons), remedy=REMEDY,
        )  # fmt: skip


def _what(changes: Sequence[Change]) -> str:
    kinds = Counter(KINDS.get(type(change), "change") for change in changes)
    plural = {kind: f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s" for kind in kinds}
    return enumerated(f"{number} {kind if number == 1 else plural[kind]}" for kind, number in kinds.items())


def _takes(one: PacketClass) -> bool:
    """Whether the packet may have passed, and may not any more."""
    passed = one.before.passes or one.before.disposition is Disposition.UNKNOWN
    return passed and not one.after.passes


def _listed(reasons: "list[str] | tuple[str, ...]") -> str:
    more = len(reasons) - SHOWN
    return "; ".join(reasons[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


RISK = Risk[Mover](
    id="packets-not-decided",
    title="Not decided: some packets may be treated differently",
    on=MOVERS,
    judge=judge,
    sources=("docs/concepts/unknown.md", "docs/concepts/data-plane.md"),
    verify="iptables-save; ip route show table all; ip rule show",
    last=2,
)

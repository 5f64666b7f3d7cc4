"""A path that must stay open is broken, and nothing else in the catalogue says why.

## Why it matters

Judges look for known causes. The packets themselves do not care about causes: here single packets are sent through the node
before and after, with their answers, for each path that a node of a cluster needs. One that held and does not any more is
told with the packet that shows it and with what decides.

## When it bites

When the change does, for new connections; open ones as far as the packet that is named belongs to one.

## How to undo

The inverse change; see the plan.

## How to check

`netchange trace` with the packet that the finding names, on a snapshot from before and one from after.
"""

from collections.abc import Iterator

from planner.models.change import (
    ChainChange,
    ChainPolicyChange,
    ForwardingChange,
    IpSetChange,
    LinkChange,
    NativeObjectChange,
    NativeRuleChange,
    NativeTableChange,
    NeighbourChange,
    NextHopChange,
    PolicyRuleChange,
    RouteChange,
    RuleChange,
    SysctlChange,
)
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.invariant import Kept
from planner.risks.blame import MOVING, blame
from planner.risks.paths import extent_of, lost_with, told
from planner.risks.risk import Review, Risk

Moving = (
    SysctlChange
    | RuleChange
    | ChainChange
    | ChainPolicyChange
    | NativeTableChange
    | NativeRuleChange
    | NativeObjectChange
    | IpSetChange
    | RouteChange
    | PolicyRuleChange
    | NextHopChange
    | LinkChange
    | NeighbourChange
    | ForwardingChange
)


def judge(change: Moving, review: Review) -> Iterator[Finding]:
    """Paths that this change is the first to blame for, and of which nobody spoke."""
    paths = blame(review, change.horizon)
    mine = [item for item in paths.led_by(change) if item.newly_broken and not _spoken(item, review)]
    every = review.kept(change.horizon) if mine else ()
    for reason in dict.fromkeys((item.after.reason, extent_of(item, every)) for item in mine):
        together = [item for item in mine if (item.after.reason, extent_of(item, every)) == reason]
        cut = any(item.path.cuts_undo for item in together)
        sure = bool(paths.of(together[0]))
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"No longer works on {change.node}: {told(together)}. {_sentence(reason[0])} "
                f"The packet that shows it: {together[0].path.flow}."
            ),
            breaks=lost_with(together),
            extent=reason[1],
            onset=change.horizon,
            cuts_undo=cut,
            confidence=Confidence.PROVEN if sure else Confidence.LIKELY,
            reversibility=Reversibility.WITH_LOSS if cut else Reversibility.FULL,
            undo="It may need the console." if cut else "",
        )


def _spoken(kept: Kept, review: Review) -> bool:
    """Whether a finding says already that this class of traffic is lost or disturbed, or of its cause that much more is."""
    due = blame(review, kept.horizon).of(kept)
    return any(
        finding.extent is not Extent.NONE
        and finding.confidence is not Confidence.UNKNOWN
        and not finding.preexisting
        and finding.onset <= kept.horizon
        and (
            kept.path.traffic in finding.breaks
            or (
                finding.extent is Extent.TOTAL
                and not kept.path.everybody
                and any(c is finding.change for c in due)
            )
        )
        for finding in review.said
    )


def _sentence(reason: str) -> str:
    text = reason[:1].upper() + reason[1:]
    return text if text.endswith(".") else f"{text}."


RISK = Risk[Moving](
    id="path-broken",
    title="A path that must stay open is broken",
    on=MOVING,
    judge=judge,
    sources=("docs/concepts/invariants.md", "docs/concepts/data-plane.md"),
    verify="netchange trace --help",
    last=1,
)

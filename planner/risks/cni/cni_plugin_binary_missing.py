"""The configuration names a plugin whose program is not installed.

## Why it matters

The runtime runs each plugin of the chain as a program. When one is missing, every sandbox fails to start and, worse, to
stop, cluster DNS included.

## When it bites

For the next pod that starts or stops.

## How to undo

Install the program, or take the plugin out of the list again.

## How to check

`ls /opt/cni/bin` beside the `type` lines of the configuration.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Finding
from planner.risks.cni.network import BINARIES, concerns_cni, installed, network, tells
from planner.risks.people import listed
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether each newly named plugin is installed, as far as the snapshot lists the programs."""
    if not concerns_cni(change):
        return
    before, after = network(review.before), network(review.after)
    if after is None:
        return
    new = set(after.types) - set(before.types if before else ())
    if not tells(change, review, *sorted(new)):
        return
    programs = installed(review.after)
    if programs is None:
        if new:
            yield Finding(
                risk=RISK.id,
                change=change,
                message=f"New pods on {change.node} need the plugin {listed(list(new))}.",
                onset=change.horizon,
                confidence=Confidence.UNKNOWN,
                unknown_because=f"the snapshot does not list {BINARIES}",
                remedy=f"Look whether {BINARIES} holds it on every node.",
            )
        return
    missing = new - programs
    if missing:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{BINARIES} on {change.node} does not hold {listed(list(missing))}, which {after.path} names: "
                "no pod starts or stops there, cluster DNS included."
            ),
            side_effects=("pod-lifecycle",),
            onset=change.horizon,
            undo="Running pods are not touched.",
            remedy="Install the plugin on every node before the configuration names it.",
        )


RISK = Risk[DocumentChange | FileChange](
    id="cni-plugin-binary-missing",
    title="A CNI plugin is not installed",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=("containernetworking/cni, pkg/invoke/find.go, FindInPath",),
    verify="ls /opt/cni/bin",
    once=True,
)

"""The version of the CNI specification that the configuration asks for changes.

## Why it matters

A plugin that does not know the version refuses every request, so no pod starts. Tools that chain themselves behind
another plugin raise the version of its file without asking it.

## When it bites

For the next pod.

## How to undo

Restore the former file.

## How to check

`echo '{"cniVersion":"1.0.0"}' | CNI_COMMAND=VERSION /opt/cni/bin/<type>` prints what a plugin supports.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Extent, Finding
from planner.risks.cni.network import STANDARD, network, tells
from planner.risks.people import listed
from planner.risks.risk import Review, Risk

RELEASED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""containernetworking/cni, SPEC.md, released versions."""
CURRENT = frozenset(
    {
        "flannel", "calico", "calico-ipam", "aws-cni", "egress-cni", "egress-v4-cni", "cilium-cni", "weave-net", "antrea",
        "azure-vnet", "istio-cni", "multus", "ptp", "kube-ovn",
    }
)  # fmt: skip
"""Plugins whose releases of the last years support every version up to 1.0.0."""


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether the version exists, and whether a plugin that is not the project's own may refuse it."""
    if not tells(change, review, "cniVersion"):
        return
    before, after = network(review.before), network(review.after)
    if (
        before is None
        or after is None
        or before.version == after.version
        or before.base.type != after.base.type
    ):
        return
    said = (
        f"{after.path} asks for version {after.version} of the CNI specification instead of {before.version}"
    )
    if after.version not in RELEASED:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{said}; there is no such version, so every plugin refuses and no pod starts on {change.node}.",
            side_effects=("pod-lifecycle",),
            onset=change.horizon,
            remedy=f"Use one of {', '.join(RELEASED)}.",
        )
        return
    foreign = [kind for kind in (plugin.type for plugin in after.plugins) if kind not in STANDARD]
    raised = before.version in RELEASED and RELEASED.index(after.version) > RELEASED.index(before.version)
    chained = len(after.plugins) > len(before.plugins) and after.base.type == before.base.type
    if not raised or not foreign:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{said}; the plugins of the chain support both.",
            onset=change.horizon,
        )
        return
    known = chained is False and set(foreign) <= CURRENT and after.version != "1.1.0"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{said}. {listed(foreign)} must support it, or no pod starts on {change.node}"
            + (
                f"; the file was made for {before.base.type} alone and another plugin was chained to it."
                if chained
                else "."
            )
        ),
        extent=Extent.NONE if known else Extent.PARTIAL,
        side_effects=("pod-lifecycle",) if chained and after.base.type not in STANDARD else (),
        onset=change.horizon,
        confidence=Confidence.UNKNOWN,
        unknown_because="the snapshot does not show which versions the installed plugins support",
        remedy="Ask the installed plugins for their versions on one node of each kind before the roll-out.",
    )


RISK = Risk[DocumentChange | FileChange](
    id="cni-version-changed",
    title="The CNI version changes",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "containernetworking/cni, SPEC.md, version considerations",
        "containernetworking/cni, pkg/version/reconcile.go",
    ),
    verify="grep -h cniVersion /etc/cni/net.d/*",
    once=True,
)

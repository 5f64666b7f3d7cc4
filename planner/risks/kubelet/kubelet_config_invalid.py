"""The kubelet cannot read its configuration, so it does not start again.

## Why it matters

A kubelet that does not start reports nothing: the node becomes NotReady, its pods are evicted and started elsewhere, and nobody
probes, restarts or stops what runs there. Networks whose agents run as pods are not repaired any more.

## When it bites

When the kubelet starts again: an upgrade, a reboot, or a restart long after the change was forgotten.

## How to undo

Put the former file back and start the kubelet.

## How to check

`journalctl -u kubelet` after a restart on one node; the first line that fails names the field.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.parse.kubelet import kubelet_config
from planner.risks.people import pods
from planner.risks.risk import Review, Risk

DIRECTORY = "/var/lib/kubelet/"


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether the configuration was readable before and is not afterwards."""
    if not change.path.startswith(DIRECTORY):
        return
    before, after = kubelet_config(review.before.files), kubelet_config(review.after.files)
    known = set(before.problems) if before is not None else set()
    new = [problem for problem in (after.problems if after is not None else ()) if problem not in known]
    if not new:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"The kubelet of {change.node} cannot read its configuration when it starts again: {new[0]}."
        f" The node becomes NotReady and {pods(review)} are evicted.",
        breaks=(TrafficClass.KUBELET_PROBES,),
        extent=Extent.TOTAL,
        side_effects=("pod-lifecycle",),
        onset=change.horizon,
        confidence=Confidence.PROVEN,
        reversibility=Reversibility.FULL,
        undo="The kubelet has to be started again with the former file.",
        remedy="Start the kubelet with the file on one node first, and read its log.",
    )


RISK = Risk[DocumentChange | FileChange](
    id="kubelet-config-invalid",
    title="The kubelet's configuration cannot be read",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "kubernetes/kubernetes, pkg/kubelet/kubeletconfig/configfiles/configfiles.go, Load (strict decoding)",
    ),
    verify="systemctl is-active kubelet && journalctl -u kubelet -n 20",
    once=True,
)

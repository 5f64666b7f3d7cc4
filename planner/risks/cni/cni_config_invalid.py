"""The network configuration that new pods would get cannot be loaded, so the node becomes NotReady for them.

## Why it matters

The runtime reports that its network is not ready. The kubelet then marks the node NotReady, no new pod gets a
sandbox, and after the usual five minutes the pods on it are evicted.

## When it bites

At once: runtimes watch the directory. containerd stops at the first file that is broken; CRI-O goes on to the next
one, which may be another network.

## How to undo

Put the former file back; the runtime loads it within seconds.

## How to check

`crictl info` shows `NetworkReady`, and the reason when it is false.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Finding, Reversibility
from planner.parse.cni import DIRECTORY
from planner.risks.cni.network import Network, Unreadable, active, concerns_cni
from planner.risks.people import pods
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Whether the file that counts was readable before and is not afterwards."""
    if not concerns_cni(change) or not isinstance(active(review.before), Network):
        return
    after = active(review.after)
    match after:
        case Network():
            return
        case Unreadable(path=path, problem=problem):
            reason = problem.removeprefix("not a usable CNI configuration: ").partition("; CRI-O")[0]
            what = f"{path} stands first in {DIRECTORY} and cannot be loaded: {reason}"
        case None:
            what = f"no network configuration is left in {DIRECTORY}"
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{what}. No new pod starts on {change.node} and it becomes NotReady; {pods(review)} are evicted if it lasts.",
        side_effects=("pod-lifecycle",),
        onset=change.horizon,
        confidence=Confidence.PROVEN,
        reversibility=Reversibility.FULL,
        undo="Putting the former file back is enough; the runtime watches the directory.",
        remedy="Validate the file before it is installed, and install it by renaming it into place.",
    )


RISK = Risk[DocumentChange | FileChange](
    id="cni-config-invalid",
    title="The CNI configuration cannot be loaded",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "containerd/go-cni, opts.go, loadFromConfDir",
        "cri-o/ocicni, pkg/ocicni/ocicni.go, loadNetworks",
        "containernetworking/cni, libcni/conf.go",
    ),
    verify="crictl info | grep -A3 NetworkReady",
    once=True,
)

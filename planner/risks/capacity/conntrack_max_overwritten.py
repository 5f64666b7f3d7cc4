"""kube-proxy computes its own conntrack limit and writes it when it starts.

## Why it matters

kube-proxy takes `conntrack.maxPerCore` (32,768 unless told otherwise) times the processors, at least `conntrack.min`
(131,072), and writes it into nf_conntrack_max. Most versions write in both directions, so a number from a sysctl file lives
until the next start of kube-proxy; versions 1.22 to 1.28, and fixed ones from 1.36 on, only raise.

## When it bites

When kube-proxy restarts, also after a reboot, because it starts after systemd-sysctl.

## How to undo

Nothing was lost: set `conntrack.maxPerCore: 0` in kube-proxy's configuration to make the file count, or set the number there.

## How to check

`kubectl -n kube-system get configmap kube-proxy -o yaml | grep -A5 conntrack`, and the value after kube-proxy has restarted.
"""

from collections.abc import Iterator
from re import search

from planner.models.change import Cause, SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.horizon import Horizon
from planner.parse.network_files import proxy_config
from planner.risks.capacity.conntrack_max_too_low import TRACKED
from planner.risks.capacity.limits import present, whole
from planner.risks.people import counted
from planner.risks.risk import Review, Risk
from planner.topology.capacity import conntrack

PER_CORE, MINIMUM = 32768, 131072
"""kubernetes, pkg/proxy/apis/config/v1alpha1 SetDefaults_KubeProxyConfiguration."""

ONLY_RAISES = range(22, 29)
"""Minor versions that leave a larger number alone: changed by pull request 103174, taken back by 120448."""

MAY_ONLY_RAISE = 36
"""From here on a patch release may only raise (pull request 142035)."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """A proposed number that is not the one kube-proxy computes."""
    after, cores = whole(change.after), present(review).volatile.cpus
    if after is None or change.cause is Cause.OWNER or not _runs(review):
        return
    config = proxy_config(review.before.files, review.cluster)
    per_core = PER_CORE if config is None or config.max_per_core is None else config.max_per_core
    minimum = MINIMUM if config is None or config.minimum is None else config.minimum
    if per_core == 0 or (cores is None and after >= minimum):
        return
    target = max(per_core * (cores or 0), minimum)
    minor = _minor(review)
    if target == after or (target < after and minor in ONLY_RAISES):
        return
    used = conntrack(present(review)).used
    if cores is None:
        rule = f"at least {minimum:,}"
    else:
        rule = f"{target:,} ({per_core:,} for each of {counted(cores, 'processor')}, at least {minimum:,})"
    short = used is not None and target < after and used * review.growth > target
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"On {change.node} the limit of {after:,} tracked flows lasts until kube-proxy starts again: it writes "
            f"{rule}" + (f", and {used:,} are tracked now." if short else ".")
        ),
        breaks=TRACKED if short else (),
        extent=Extent.INTERMITTENT if short else Extent.NONE,
        capacity=True,
        onset=max(change.horizon, Horizon.SERVICE_RESTART),
        confidence=Confidence.PROVEN
        if config is not None and minor is not None and minor < MAY_ONLY_RAISE
        else Confidence.LIKELY,
        remedy="Set conntrack.maxPerCore to 0 in kube-proxy's configuration, or the wished number there.",
    )


def _runs(review: Review) -> bool:
    return review.topology.kube_proxy_mode in ("iptables", "ipvs", "nftables")


def _minor(review: Review) -> int | None:
    """Minor version of Kubernetes: kube-proxy is of the kubelet's version or up to three below it."""
    own = (
        [n.kubelet_version for n in review.cluster.nodes if n.name == review.before.name]
        if review.cluster
        else []
    )
    for text in (*own, review.before.tools.get("kubelet", "")):
        found = search(r"v?1\.(\d+)", text)
        if found:
            return int(found.group(1))
    return None


RISK = Risk[SysctlChange](
    id="conntrack-max-overwritten",
    title="kube-proxy will write another conntrack limit",
    on=(SysctlChange,),
    keys=("net.netfilter.nf_conntrack_max", "net.nf_conntrack_max"),
    judge=judge,
    sources=(
        "kubernetes, cmd/kube-proxy/app/conntrack.go",
        "kubernetes/kubernetes pull requests 103174, 120448, 137002, 142035",
    ),
    verify="kubectl -n kube-system get configmap kube-proxy -o yaml | grep -A5 conntrack",
)

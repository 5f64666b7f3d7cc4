"""The kubelet hands pods a resolver on a loopback address, which inside a pod is the pod itself.

## Why it matters

Pods with the node's DNS policy, cluster DNS first among them, copy the file named by `resolvConf`. A local stub such as
127.0.0.53 is not there for them: CoreDNS forwards to itself, detects the loop and exits, and names outside the cluster
stop resolving for everybody.

## When it bites

When the kubelet restarts and after that a DNS pod does; until then nothing happens.

## How to undo

Name the real file again (/run/systemd/resolve/resolv.conf), restart the kubelet, recreate the DNS pods.

## How to check

`grep resolvConf /var/lib/kubelet/config.yaml` and the `nameserver` lines of that file.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.kubelet.settings import setting
from planner.risks.risk import Review, Risk

DEFAULT = "/etc/resolv.conf"
"""KubeletConfiguration v1beta1, resolvConf."""


def judge(change: DocumentChange, review: Review) -> Iterator[Finding]:
    """Whether the file that is now named, or what it now says, points at a loopback resolver."""
    values = setting(change, "resolvConf")
    if values is None:
        return
    before, after = (DEFAULT if value is None else str(value) for value in values)
    if not after:
        return
    servers = nameservers(review.after, after)
    was = nameservers(review.before, before) if before else ()
    if servers is None:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"The kubelet on {change.node} hands pods the resolvers of {after} instead of {before}.",
            extent=Extent.PARTIAL,
            onset=change.horizon,
            confidence=Confidence.UNKNOWN,
            unknown_because=f"{after} is not in the snapshot",
            remedy=f"Look at the nameserver lines of {after}.",
        )
        return
    if was is not None and set(was) == set(servers):
        return
    if servers and all(_loopback(server) for server in servers):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{after} on {change.node} lists only {', '.join(servers)}: a DNS pod that starts there forwards to itself, "
                "detects the loop and exits, and the cluster loses DNS as its pods restart."
            ),
            breaks=(TrafficClass.DNS, TrafficClass.POD_TO_EXTERNAL),
            extent=Extent.TOTAL,
            onset=change.horizon,
            reversibility=Reversibility.WITH_LOSS,
            undo="The kubelet must restart and the DNS pods that started in between must be recreated.",
            remedy="Name /run/systemd/resolve/resolv.conf, which lists the real servers.",
        )


def nameservers(state: NodeState, path: str) -> tuple[str, ...] | None:
    """What the file lists, symbolic links followed once; None when the snapshot does not hold it."""
    file = state.files.get(path)
    if file is not None and file.link_to and not file.text:
        file = state.files.get(file.link_to)
    if file is None:
        # systemd-resolved(8): this file always lists the stub listener.
        return ("127.0.0.53",) if path == "/run/systemd/resolve/stub-resolv.conf" else None
    words = (line.split() for line in file.text.splitlines())
    return tuple(word[1] for word in words if len(word) > 1 and word[0] == "nameserver")


def _loopback(server: str) -> bool:
    return server.startswith("127.") or server == "::1"


RISK = Risk[DocumentChange](
    id="kubelet-resolv-conf-loopback",
    title="Pods are handed a loopback resolver",
    on=(DocumentChange,),
    judge=judge,
    sources=(
        "Kubernetes documentation, debugging DNS resolution, known issues",
        "CoreDNS, plugin/loop",
        "systemd-resolved(8), /etc/resolv.conf",
    ),
    verify="grep resolvConf /var/lib/kubelet/config.yaml; grep nameserver /etc/resolv.conf",
)

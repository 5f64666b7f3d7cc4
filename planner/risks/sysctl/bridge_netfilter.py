"""Bridged packets stop, or start, to pass iptables.

## Why it matters

Two pods of one node on one Linux bridge talk at layer 2. Only through br_netfilter does the answer of a service's
endpoint pass iptables and get its address translated back: without it, a pod that calls a service whose endpoint is on
the same node hears from a stranger and times out, DNS included. The other way, FORWARD rules suddenly see traffic
between pods of the bridge.

## When it bites

At once, for each call that lands on the same node. After a reboot, when br_netfilter is not loaded before
systemd-sysctl, the key does not exist and its line is skipped.

## How to undo

Write 1 (load br_netfilter first).

## How to check

`sysctl net.bridge.bridge-nf-call-iptables; lsmod | grep br_netfilter`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.node import NodeState
from planner.models.topology import PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import families
from planner.sysctls.numbers import number


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Off, with pods on a bridge and services in iptables or IPVS; on, where FORWARD drops."""
    if review.topology.attachment is not PodAttachment.BRIDGE:
        return
    six = "ip6tables" in change.key
    if six and not families(review)[1]:
        return
    was, now = bool(number(change.before)), bool(number(change.after))
    if was and not now:
        yield from _off(change, review)
    elif now and not was and _forward_drops(review, "ip6" if six else "ip"):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"iptables starts to see packets between pods on one bridge of {change.node}, and its FORWARD policy is DROP "
                f"with no rule that accepts them: {pods(review)} lose each other on the node."
            ),
            breaks=(TrafficClass.POD_TO_POD_SAME_NODE, TrafficClass.POD_TO_SERVICE),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            confidence=Confidence.LIKELY,
            remedy="Accept the pods' range in FORWARD first.",
        )


def _off(change: SysctlChange, review: Review) -> Iterator[Finding]:
    if review.topology.kube_proxy_mode == "none":
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Answers between pods on one bridge of {change.node} no longer pass iptables: a call to a service whose endpoint "
            f"is on the same node times out, DNS included when CoreDNS runs here."
        ),
        breaks=(TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
        extent=Extent.PARTIAL,
        side_effects=("networkpolicy",),
        onset=change.horizon,
        remedy=f"Keep {change.key} at 1 while pods hang on a bridge.",
    )


def _forward_drops(review: Review, family: str) -> bool:
    """Whether some backend's FORWARD policy is DROP and no rule names the pods' range or bridge in an ACCEPT."""
    names = (*review.topology.bridges, *review.topology.node_pod_ranges, *review.topology.pod_ranges)
    return any(
        _policy(review.after, family, backend) == "DROP"
        and not _accepts(review.after, family, backend, names)
        for backend in ("nft", "legacy")
    )


def _policy(state: NodeState, family: str, backend: str) -> str:
    ruleset = state.ruleset(family, backend)
    table = ruleset.tables.get("filter") if ruleset else None
    return table.policies.get("FORWARD", "") if table else ""


def _accepts(state: NodeState, family: str, backend: str, names: tuple[str, ...]) -> bool:
    ruleset = state.ruleset(family, backend)
    table = ruleset.tables.get("filter") if ruleset else None
    if table is None:
        return False
    return any(
        rule.rstrip().endswith("-j ACCEPT")
        and (any(name in rule.split() for name in names) or rule == "-j ACCEPT")
        for rules in table.chains.values()
        for rule in rules
    )


RISK = Risk[SysctlChange](
    id="bridge-netfilter",
    title="Bridged packets stop or start to pass iptables",
    on=(SysctlChange,),
    keys=("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"),
    judge=judge,
    sources=("Linux, net/bridge/br_netfilter_hooks.c; measured with a service and two pods on one bridge",),
    verify="sysctl net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables",
)

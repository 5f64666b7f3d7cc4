"""The reverse path filter gets stricter on links where answers leave another way.

## Why it matters

Strict mode drops a packet whose sender is not reached through the link on which it came; loose mode drops it on a link
without an IPv4 address. The larger of `conf.all` and the link's value counts, and 2 (loose) is larger than 1
(strict): `conf.all` from 2 to 1 tightens. Hit are nodes with several uplinks, with policy routing (the second
interface of a cloud node), and pod links that an eBPF data path uses without host routes.

## When it bites

At once for every packet, connections in progress too; nothing is logged unless log_martians is on. A write to
`conf.default` reaches new links, and existing links without an address on which nobody wrote the value.

## How to undo

Write the old values back, to `conf.all`, `conf.default` and each link.

## How to check

`nstat -az TcpExtIPReversePathFilter` counts the drops.
"""

from collections.abc import Iterator

from planner.models.change import Cause, SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.horizon import Horizon
from planner.models.link import Link
from planner.models.topology import Overlay, PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.people import counted, listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import links
from planner.risks.sysctl.reverse_path import Loss, loss
from planner.sysctls.names import ALL, DEFAULT, conf, link_key
from planner.sysctls.numbers import number

MODES = {0: "off", 1: "strict"}


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Each link that this change tightens, and what would be dropped there."""
    parts, mode = link_key(change.key), number(change.after)
    if parts is None or mode is None or number(change.before) is None:
        return
    everywhere = number(review.after.sysctls.get(conf("ipv4", ALL, "rp_filter"))) or 0
    if parts.link == DEFAULT:
        yield from _new_links(change, review, max(mode, everywhere))
        return
    concerned = (
        list(links(review.after))
        if parts.link == ALL
        else [link for link in links(review.after) if link.name == parts.link]
    )
    hit: list[tuple[Link, Loss]] = []
    for link in concerned:
        lost = loss(review, link)
        if lost is not None:
            hit.append((link, lost))
    yield from _findings(change, review, hit, mode)


def _findings(
    change: SysctlChange, review: Review, hit: list[tuple[Link, Loss]], mode: int
) -> Iterator[Finding]:
    pod_links = [link.name for link, _ in hit if link.name in review.topology.pod_links]
    if pod_links:
        everyone = _all_hit(review, pod_links)
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"The reverse path filter becomes {MODES.get(mode, 'loose')} on {counted(len(everyone), 'pod link')} of "
                f"{change.node} ({listed(everyone)}): what these pods send is dropped, because no route of the node leads "
                f"back through their links."
            ),
            breaks=hit[0][1].breaks
            if change.cause is not Cause.MAYBE
            else (
                TrafficClass.POD_TO_EXTERNAL,
                TrafficClass.POD_TO_POD_CROSS_NODE,
                TrafficClass.KUBELET_PROBES,
            ),
            extent=Extent.PARTIAL if change.cause is Cause.MAYBE else Extent.TOTAL,
            pods=len(everyone),
            onset=change.horizon,
            confidence=Confidence.LIKELY,
            remedy="Add a later file with a narrower pattern that sets the pods' links to 0, and keep conf.all at 0.",
        )
    for link, lost in hit:
        if link.name in review.topology.pod_links:
            continue
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{link.name} on {change.node} starts to drop what it would answer another way: the filter becomes strict, "
                f"and {lost.why}."
            ),
            breaks=lost.breaks,
            extent=Extent.TOTAL if lost.total else Extent.PARTIAL,
            pods=None,
            onset=change.horizon,
            confidence=Confidence.LIKELY,
            remedy="Use 2 (loose) on links that receive what leaves elsewhere, and keep conf.all at 0 or 2.",
        )


def _all_hit(review: Review, own: list[str]) -> list[str]:
    """Every pod link that the proposal tightens, so that findings of many links say the same and become one."""
    names = set(own)
    for change in review.changes:
        parts = link_key(change.key) if isinstance(change, SysctlChange) else None
        if (
            parts is not None
            and parts.real
            and parts.knob == "rp_filter"
            and parts.link in review.topology.pod_links
        ):
            names.add(parts.link)
    return sorted(names)


def _new_links(change: SysctlChange, review: Review, mode: int) -> Iterator[Finding]:
    """The default: pods that start later, on a data path that installs no route for their links."""
    before = max(
        number(change.before) or 0, number(review.before.sysctls.get(conf("ipv4", ALL, "rp_filter"))) or 0
    )
    if not mode or before:
        return
    if review.topology.overlay is not Overlay.CILIUM or review.topology.attachment is PodAttachment.BRIDGE:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Links of pods that start on {change.node} from now on get rp_filter {mode}; Cilium installs no route through "
            f"them, so what these pods send is dropped until its agent writes 0 again."
        ),
        breaks=(
            TrafficClass.POD_TO_EXTERNAL,
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.KUBELET_PROBES,
        ),
        extent=Extent.PARTIAL,
        onset=max(change.horizon, Horizon.NEW_PODS),
        confidence=Confidence.LIKELY,
        remedy="Set net.ipv4.conf.default.rp_filter to 0, or add a later file for lxc* and cilium_*.",
    )


RISK = Risk[SysctlChange](
    id="rp-filter-tightened",
    title="The reverse path filter gets stricter where answers leave another way",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.rp_filter",),
    judge=judge,
    sources=(
        "Linux, net/ipv4/fib_frontend.c __fib_validate_source(); include/linux/inetdevice.h IN_DEV_RPFILTER; measured",
        "Linux, net/ipv4/devinet.c devinet_copy_dflt_conf()",
        "Cilium documentation, system requirements, rp_filter with systemd 245 and later",
    ),
    verify="sysctl -a -r 'net.ipv4.conf.*rp_filter'",
)

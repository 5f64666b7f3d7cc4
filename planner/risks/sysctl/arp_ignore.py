"""The node, or the pods to come, stop answering ARP requests.

## Why it matters

arp_ignore 2 answers only askers of the same subnet, 8 nobody. New pods copy `conf.all` and `conf.default` of the node,
so a pod with a /32 address then ignores the node's own requests: nobody reaches it until it has spoken first. The
other way, from 1 to 0 with kube-proxy in IPVS mode, each node answers for every service address.

## When it bites

For pods that start afterwards; with 8 on an uplink, minutes later, when the neighbours' entries expire.

## How to undo

Write the old value back. Pods that were created meanwhile keep what they copied: restart them.

## How to check

`sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.default.arp_ignore`, and the same inside the newest pod.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.topology import PodAttachment
from planner.models.traffic import TrafficClass
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import NODE_CLASSES, links, newly_acting, tells_it, value
from planner.sysctls.names import ALL, DEFAULT, conf, link_key

SAME_SUBNET = 2


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """New pods first, then the node's own uplinks, then service addresses of IPVS."""
    parts = link_key(change.key)
    if parts is None:
        return
    if parts.link in {ALL, DEFAULT}:
        yield from _new_pods(change, review)
    if tells_it(change, review):
        yield from _uplinks(change, review)
        yield from _service_addresses(change, review)


def _inherited(review: Review, *, after: bool) -> int:
    state = review.after if after else review.before
    return max(
        value(state, conf("ipv4", ALL, "arp_ignore")) or 0,
        value(state, conf("ipv4", DEFAULT, "arp_ignore")) or 0,
    )


def _new_pods(change: SysctlChange, review: Review) -> Iterator[Finding]:
    old, new = _inherited(review, after=False), _inherited(review, after=True)
    if (
        value(review.after, "net.core.devconf_inherit_init_net") == 2
        or review.topology.attachment is PodAttachment.NONE
    ):
        return
    bridge = review.topology.attachment is PodAttachment.BRIDGE
    if old == new or not (new == 8 or (new == SAME_SUBNET and not bridge)):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"Pods that start on {change.node} from now on copy arp_ignore {new} and do not answer the node's ARP requests: "
            f"probes, services and other nodes do not reach a pod that has not spoken first. Existing pods hide it."
        ),
        breaks=(
            TrafficClass.KUBELET_PROBES,
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.EXTERNAL_TO_NODEPORT_LB,
            TrafficClass.POD_TO_SERVICE,
        ),
        extent=Extent.INTERMITTENT,
        onset=max(change.horizon, Horizon.NEW_PODS),
        confidence=Confidence.PROVEN
        if review.topology.attachment is PodAttachment.ROUTED
        else Confidence.LIKELY,
        reversibility=Reversibility.NONE,
        undo="Pods created meanwhile keep the copied value until they are restarted.",
        remedy="Use 1 at most: it keeps addresses of other links quiet and harms neither /32 pods nor proxy ARP.",
    )


def _uplinks(change: SysctlChange, review: Review) -> Iterator[Finding]:
    silent = [name for name, old, new in newly_acting(review, "arp_ignore") if new == 8 and old != 8]
    hit = [name for name in silent if name in review.topology.uplinks]
    if not hit:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.node} stops answering ARP on {listed(hit)}: it vanishes from the network within minutes, when its "
            f"neighbours ask again."
        ),
        breaks=(*NODE_CLASSES, TrafficClass.EXTERNAL_TO_NODEPORT_LB),
        extent=Extent.TOTAL,
        cuts_undo=True,
        onset=change.horizon,
        remedy="Leave arp_ignore of the uplink at 0 or 1.",
    )


def _service_addresses(change: SysctlChange, review: Review) -> Iterator[Finding]:
    loud = [name for name, old, new in newly_acting(review, "arp_ignore") if old and not new]
    hit = [name for name in loud if name in review.topology.uplinks]
    carried = any(link.name == "kube-ipvs0" for link in links(review.after))
    if not hit or not (carried or review.topology.kube_proxy_mode == "ipvs"):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.node} answers ARP on {listed(hit)} for every service address on kube-ipvs0: LoadBalancer addresses of "
            f"the segment land on a random node."
        ),
        breaks=(TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
        extent=Extent.INTERMITTENT,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy="Keep arp_ignore 1 and arp_announce 2 with kube-proxy in IPVS mode (strictARP).",
    )


RISK = Risk[SysctlChange](
    id="arp-ignore",
    title="ARP requests are no longer answered, or by everybody",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.arp_ignore",),
    judge=judge,
    sources=(
        "Linux, net/ipv4/arp.c arp_ignore(); net/ipv4/devinet.c devinet_init_net(); measured inside /32 pods",
        "Kubernetes, kube-proxy strictARP",
    ),
    verify="sysctl -a -r 'net.ipv4.conf.*arp_ignore'",
)

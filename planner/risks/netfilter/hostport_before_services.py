"""Host ports are looked at before Services.

## Why it matters

The host-port chain takes what is addressed to a local address. Where Service addresses are local (kube-proxy in IPVS
mode puts them on kube-ipvs0), a pod with hostPort 443 then captures the cluster's own API Service on that node. In
iptables mode Service addresses are not local, and the order does not matter.

## When it bites

For new connections.

## How to undo

Put the jump to KUBE-SERVICES first again.

## How to check

`iptables -t nat -S PREROUTING`; `ip addr show kube-ipvs0`.
"""

from collections.abc import Iterator

from planner.models.change import RuleChange, RuleEdit
from planner.models.finding import Extent, Finding
from planner.models.ruleset import Table
from planner.models.traffic import TrafficClass
from planner.risks.netfilter.structure import table_of
from planner.risks.risk import Review, Risk

HOSTPORT, SERVICES = "-j CNI-HOSTPORT-DNAT", "-j KUBE-SERVICES"


def judge(change: RuleChange, review: Review) -> Iterator[Finding]:
    """Whether the order turned, and whether it matters in this mode of kube-proxy."""
    if change.table != "nat" or change.edit is RuleEdit.REMOVED:
        return
    if HOSTPORT not in change.rule and SERVICES not in change.rule:
        return
    if not _first(table_of(review.after, change), change.chain) or _first(
        table_of(review.before, change), change.chain
    ):
        return
    if (
        any(link.name == "kube-ipvs0" for link in review.after.links)
        or review.topology.kube_proxy_mode == "ipvs"
    ):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"Host ports come before Services on {change.node}, where Service addresses are local: a pod with a hostPort equal "
                "to a Service's port captures that Service, the API server's 443 among them."
            ),
            breaks=(TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            remedy="Update portmap (0.7.5 or later appends its jump).",
        )
    else:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"Host ports come before Services on {change.node}; Service addresses are not local there, so they do not meet.",
            onset=change.horizon,
        )


def _first(table: Table, chain: str) -> bool:
    places = {
        word: number
        for number, rule in enumerate(table.chains.get(chain, ()))
        for word in (HOSTPORT, SERVICES)
        if word in rule
    }
    return HOSTPORT in places and SERVICES in places and places[HOSTPORT] < places[SERVICES]


RISK = Risk[RuleChange](
    id="hostport-before-services",
    title="Host ports come before Services",
    on=(RuleChange,),
    judge=judge,
    sources=(
        "CVE-2019-9946; containernetworking/plugins 0.7.5 release notes; measured with a local service address",
    ),
    verify="iptables -t nat -S PREROUTING",
    once=True,
)

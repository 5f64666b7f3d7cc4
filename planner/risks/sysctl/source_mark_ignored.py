"""The reverse path lookup stops, or starts, to look at the packet's mark.

## Why it matters

Where policy rules choose a table by mark (WireGuard, a second cloud interface, egress gateways) the way back is only
right with the mark. With src_valid_mark off and the filter on, such packets are dropped.

## When it bites

At once, for every packet that arrives with a mark.

## How to undo

Write the old value back.

## How to check

`sysctl net.ipv4.conf.all.src_valid_mark; ip rule | grep fwmark; nstat -az TcpExtIPReversePathFilter`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.people import listed
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import acting, links, newly_acting, turned_off


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """The mark is no longer looked at on a link that filters, on a node that routes by mark."""
    marks = sorted({rule.fwmark for rule in review.after.policy_rules if rule.fwmark and rule.family == "ip"})
    if not marks or not turned_off(change):
        return
    blind = {name for name, old, new in newly_acting(review, "src_valid_mark") if old and not new}
    filtering = [link.name for link in links(review.after) if acting(review.after, link.name, "rp_filter")]
    hit = sorted(blind & set(filtering))
    if not hit:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{listed(hit)} on {change.node} no longer looks at marks when it checks the way back, while policy rules route "
            f"by the mark {listed(marks)}: packets of such flows are dropped."
        ),
        breaks=(TrafficClass.POD_TO_EXTERNAL, TrafficClass.EXTERNAL_TO_NODEPORT_LB),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.LIKELY,
        remedy="Keep src_valid_mark at 1 while rules route by mark.",
    )


RISK = Risk[SysctlChange](
    id="source-mark-ignored",
    title="The check of the way back stops looking at marks",
    on=(SysctlChange,),
    keys=("net.ipv4.conf.*.src_valid_mark",),
    judge=judge,
    sources=("Linux, net/ipv4/fib_frontend.c __fib_validate_source(), IN_DEV_SRC_VMARK",),
    verify="sysctl -a -r 'net.ipv4.conf.*src_valid_mark'",
)

"""A link that carries the node's default route or its way to other nodes goes down or away.

## Why it matters

The kernel deletes the routes of a link that is taken down. With the last uplink the operator, the API server and the
undo are gone as well; the node can only be mended from its console.

## When it bites

At once.

## How to undo

Bring the link up from the console; the routes that the CNI agent added do not come back by themselves.

## How to check

`ip link show <link>`; `ip route show dev <link>`.
"""

from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """Whether it is an uplink, and whether another one with a default route is left."""
    gone = change.field == "" and change.after is None
    down = change.field == "up" and _off(change.after)
    if not (gone or down) or change.link not in review.topology.uplinks:
        return
    word = "is removed" if gone else "goes down"
    left = _left(change.link, review)
    if left:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{change.link} on {change.node} {word}; what used it has to go through {left}.",
            breaks=(
                TrafficClass.POD_TO_EXTERNAL,
                TrafficClass.POD_TO_POD_CROSS_NODE,
                TrafficClass.HOST_EGRESS,
            ),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            reversibility=Reversibility.WITH_LOSS,
            undo="Routes through the link that no manager owns have to be added again.",
        )
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{change.link}, the last uplink of {change.node}, {word}: the node is reachable only from its console.",
        breaks=(
            TrafficClass.NODE_MANAGEMENT,
            TrafficClass.NODE_TO_APISERVER,
            TrafficClass.HOST_EGRESS,
            TrafficClass.POD_TO_EXTERNAL,
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.EXTERNAL_TO_NODEPORT_LB,
        ),
        extent=Extent.TOTAL,
        cuts_undo=True,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="It needs the console; routes that the CNI agent added do not come back by themselves.",
        remedy="Do it from the console, or with a timer that brings the link up again.",
    )


def _left(gone: str, review: Review) -> str:
    """A link that still carries a default route afterwards."""
    for route in review.after.routes:
        if route.is_default and route.type == "unicast":
            for hop in route.nexthops:
                link = review.after.link(hop.link)
                if hop.link != gone and link is not None and link.up:
                    return hop.link
    return ""


def _off(value: str | None) -> bool:
    return (value or "").lower() in {"false", "down", "0", "no"}


RISK = Risk[LinkChange](
    id="uplink-down",
    title="An uplink goes down",
    on=(LinkChange,),
    judge=judge,
    sources=(
        "Linux, net/ipv4/fib_frontend.c, fib_disable_ip; measured: carrier loss keeps routes, down removes them",
    ),
    verify="ip route show default",
)

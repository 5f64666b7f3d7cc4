"""An uplink becomes a port of a bridge or bond while its addresses stay on it.

## Why it matters

Frames that arrive on a port belong to its master. Addresses that stay on the port stop answering, and with them the
operator's session, the kubelet and the tunnels that use them.

## When it bites

At once.

## How to undo

`ip link set <link> nomaster`, from the console.

## How to check

`ip -br addr`: a link with a master should hold no address.
"""

from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """Whether the master takes the addresses over in the same proposal."""
    if change.field != "master" or not change.after or change.link not in review.topology.uplinks:
        return
    before = review.before.link(change.link)
    master = review.after.link(change.after)
    wanted = {
        address.address for address in (before.addresses if before else ()) if address.scope == "global"
    }
    held = {address.address for address in (master.addresses if master else ())}
    if not wanted:
        return
    if wanted <= held:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{change.link} on {change.node} joins {change.after}, which takes over its addresses: open connections pause.",
            breaks=(TrafficClass.HOST_EGRESS,),
            extent=Extent.NONE,
            onset=change.horizon,
            reversibility=Reversibility.WITH_LOSS,
        )
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{change.link} on {change.node} joins {change.after} and keeps {', '.join(sorted(wanted - held))}: the node stops answering there.",
        breaks=(
            TrafficClass.NODE_MANAGEMENT,
            TrafficClass.NODE_TO_APISERVER,
            TrafficClass.HOST_EGRESS,
            TrafficClass.POD_TO_EXTERNAL,
            TrafficClass.POD_TO_POD_CROSS_NODE,
        ),
        extent=Extent.TOTAL,
        cuts_undo=True,
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="It needs the console.",
        remedy="Move the addresses and routes to the master in the same step, with a timer that takes it back.",
    )


RISK = Risk[LinkChange](
    id="uplink-enslaved",
    title="An uplink joins a bridge with its addresses",
    on=(LinkChange,),
    judge=judge,
    sources=("Linux, net/core/dev.c, rx_handler; net/bridge/br_input.c, br_handle_frame",),
    verify="ip -br link; ip -br addr",
)

"""A setting of a link or of a bridge's port changes that decides about frames.

## Why it matters

Below IP a link has settings of its own: whether it asks for neighbours, which VLANs pass, whether a port takes part in the
spanning tree, whether ports are isolated from each other. Rules and routes stay as they were, every check of them passes, and
still nothing arrives.

## When it bites

At once. Neighbours that are known already may hide it until their entries age.

## How to undo

Write the former value; the plan does.

## How to check

`ip -d link show dev LINK` shows the settings; ping a pod and the gateway behind the link after `ip neigh flush dev LINK`.
"""

from collections.abc import Iterator

from planner.dataplane.beneath import EFFECTS, decides
from planner.models.change import LinkChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.packets.telling import about
from planner.risks.risk import Review, Risk

OPTION = "options/"
ON_UPLINK = (
    TrafficClass.NODE_MANAGEMENT,
    TrafficClass.NODE_TO_APISERVER,
    TrafficClass.HOST_EGRESS,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.EXTERNAL_TO_NODEPORT_LB,
)


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """Whether the setting decides about unicast packets, on a link that carries some."""
    links = {link.name: link for link in review.before.links}
    link = links.get(change.link)
    option = change.field.removeprefix(OPTION)
    if link is not None and change.field == "mac" and change.link in review.topology.uplinks:
        yield from _other_address(change, review)
        return
    if (
        link is None
        or option == change.field
        or not decides(option, change.before, change.after, link, links)
    ):
        return
    if about(review.said, (change,)):
        return
    if option == "arp" and change.after == "off" and change.link in review.topology.uplinks:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{change.link}, an uplink of {change.node}, no longer asks for its neighbours nor answers for its own addresses: "
                "the node goes dark as entries age, and cannot be reached to take it back."
            ),
            breaks=ON_UPLINK,
            extent=Extent.TOTAL,
            cuts_undo=True,
            onset=change.horizon,
            reversibility=Reversibility.WITH_LOSS,
            undo="It needs the console, or the timer.",
            remedy=f"Keep ARP on for {change.link}.",
        )
        return
    effect = EFFECTS.get(option, "what becomes of frames there")
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"`{option}` of {change.link} on {change.node} becomes {change.after or 'unset'} (was {change.before or 'unset'}). "
            f"It decides {effect}."
        ),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.UNKNOWN,
        unknown_because=f"what becomes of frames is not followed: `{option}` of {change.link}",
        remedy="Try it on one node, and probe the paths over this link with an empty neighbour table.",
    )


def _other_address(change: LinkChange, review: Review) -> Iterator[Finding]:
    """An uplink's: the kernel tells nobody unless `arp_notify` says so, and many clouds and switches drop frames of another one."""
    if about(review.said, (change,)):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.link}, an uplink of {change.node}, gets the hardware address {change.after} instead of {change.before}: its neighbours "
            "send to the former one until they ask again, and a network that filters by it drops what the node sends."
        ),
        extent=Extent.PARTIAL,
        onset=change.horizon,
        confidence=Confidence.UNKNOWN,
        unknown_because="how the network around the node takes another hardware address",
        remedy="Ask whoever runs the network whether it filters by hardware address, and try it on one node from its console.",
    )


RISK = Risk[LinkChange](
    id="link-setting-changed",
    title="A setting of a link that decides about frames",
    on=(LinkChange,),
    judge=judge,
    sources=(
        "iproute2, ip-link(8): arp, type bridge, type bridge_slave, type vxlan",
        "Linux, net/bridge/br_forward.c, should_deliver(); net/ipv4/arp.c, arp_constructor()",
    ),
    verify="ip -d link show",
    last=1,
)

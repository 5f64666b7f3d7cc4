"""A link's MTU changes and what runs over it does not.

## Why it matters

A bridge drops frames that are larger than the port they leave by, without any error to the sender. A tunnel's packets
that no longer fit the uplink are fragmented, or refused by a network card of a peer. Below 1280 octets the kernel takes
IPv6 away from the link.

## When it bites

At once, and only for large packets: pings and handshakes pass.

## How to undo

Set the former MTU; IPv6 addresses that went have to be added again.

## How to check

`ip -o link show`; `ping -M do -s SIZE` along the path.
"""

from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.cni.pod_mtu_changed import ETHERNET, LEAST_IPV6
from planner.risks.people import pods
from planner.risks.risk import Review, Risk

_SAME, _CROSS, _SERVICE, _OUT = (
    TrafficClass.POD_TO_POD_SAME_NODE,
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
)


def judge(change: LinkChange, review: Review) -> Iterator[Finding]:
    """The new size against what the link carries."""
    if change.field != "mtu" or not (change.before or "").isdigit() or not (change.after or "").isdigit():
        return
    before, after = int(change.before or 0), int(change.after or 0)
    topology = review.topology
    base = Finding(risk=RISK.id, change=change, message="", onset=change.horizon)
    told = f"{change.link} on {change.node} gets an MTU of {after} instead of {before}"
    link = review.before.link(change.link)
    addresses6 = [
        item.prefix
        for item in (link.addresses if link else ())
        if item.family == "ip6" and item.scope == "global"
    ]
    if after < LEAST_IPV6 <= before and addresses6:
        yield base.model_copy(
            update={
                "message": f"{told}, below the {LEAST_IPV6} that IPv6 needs: the kernel removes {', '.join(addresses6)}.",
                "breaks": (TrafficClass.HOST_EGRESS, _OUT, _CROSS),
                "extent": Extent.PARTIAL,
                "reversibility": Reversibility.NONE,
                "undo": "The addresses and routes that went have to be added again.",
            }
        )
    elif after < before and change.link in (*topology.bridges, *topology.pod_links):
        yield base.model_copy(
            update={
                "message": f"{told}: larger frames that {pods(review)} still send through it are dropped without an error.",
                "breaks": (_SAME, _CROSS, _SERVICE),
                "extent": Extent.PARTIAL,
                "remedy": "Lower the MTU inside the pods first: change the CNI configuration and recreate them.",
            }
        )
    elif after < before and change.link in topology.uplinks:
        yield from _narrower_uplink(base, told, after, review)
    elif after > before and change.link in topology.uplinks and after > ETHERNET:
        yield base.model_copy(
            update={
                "message": f"{told}: larger packets are lost where a peer or a switch does not carry them.",
                "breaks": (TrafficClass.HOST_EGRESS,),
                "extent": Extent.PARTIAL,
                "confidence": Confidence.LIKELY,
            }
        )
    elif after < before and change.link in topology.overlay_links:
        yield base.model_copy(
            update={
                "message": f"{told}: the node answers larger packets of its pods with an ICMP error, and TCP adapts.",
                "side_effects": ("performance",),
            }
        )


def _narrower_uplink(base: Finding, told: str, after: int, review: Review) -> Iterator[Finding]:
    tunnels = [link for link in review.after.links if link.name in review.topology.overlay_links]
    overhead = review.topology.encapsulation_overhead
    wide = [link for link in tunnels if link.mtu + overhead > after]
    if not wide:
        yield base.model_copy(
            update={"message": f"{told}; what runs over it still fits.", "side_effects": ("performance",)}
        )
        return
    # Measured: a vxlan device keeps its MTU when the uplink's falls, and its outer packets are fragmented.
    yield base.model_copy(
        update={
            "message": (
                f"{told}, and {wide[0].name} still makes packets of {wide[0].mtu + overhead}: they are fragmented, and those that "
                "other nodes send in full size may be refused by the network card."
            ),
            "breaks": (_CROSS,),
            "extent": Extent.PARTIAL,
            "confidence": Confidence.LIKELY,
            "side_effects": ("performance",),
            "remedy": f"Lower {wide[0].name} to {after - overhead} and the pods' MTU with it.",
        }
    )


RISK = Risk[LinkChange](
    id="link-mtu-changed",
    title="A link's MTU changes",
    on=(LinkChange,),
    judge=judge,
    sources=(
        "Linux, net/bridge/br_forward.c, br_dev_queue_push_xmit (is_skb_forwardable)",
        "Linux, net/ipv6/addrconf.c, addrconf_notify (IPV6_MIN_MTU)",
    ),
    verify="ip -o link show | awk '{print $2, $4, $5}'",
)

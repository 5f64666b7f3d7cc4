"""The MTU that new pods get no longer fits the path, or became smaller than it has to be.

## Why it matters

A pod's packets must fit into the overlay device, and those into the uplink after encapsulation. Where the smaller hop is
on the node itself and ICMP errors reach the pod, TCP adapts. Where it is further away and ICMP is filtered, connections
hang after the handshake. Below 1280 octets the kernel takes IPv6 away from the link.

## When it bites

For pods that start after the change, and only for large packets: pings and handshakes pass.

## How to undo

Set the former value and recreate the pods that started in between.

## How to check

`ip link show` for the overlay device and the uplink; `ping -M do -s SIZE` from a pod to a pod on another node.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.node import NodeState
from planner.models.topology import Overlay, Topology
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import network, tells
from planner.risks.risk import Review, Risk

ETHERNET = 1500
LEAST_IPV6 = 1280
"""RFC 8200, section 5; Linux net/ipv6/addrconf.c, IPV6_MIN_MTU."""


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """The new value against the narrowest hop that the snapshot shows."""
    if not tells(change, review, "mtu", "FLANNEL_MTU"):
        return
    before, after = mtu(review.before), mtu(review.after)
    if after is None or before == after:
        return
    base = Finding(
        risk=RISK.id,
        change=change,
        message="",
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that started in between keep their MTU until they are recreated.",
    )
    hop = narrowest(review.after, review.topology)
    told = f"New pods on {change.node} get an MTU of {after}"
    if before is not None and after < before:
        yield _lowered(base, told, before, after, review)
    elif hop is not None and after > hop[1]:
        yield _too_large(base, told, hop, review.topology)
    elif after > ETHERNET:
        yield base.model_copy(
            update={
                "message": (
                    f"{told}, above the {ETHERNET} that networks beyond the data centre carry: connections that leave it "
                    "hang after the handshake where ICMP errors are filtered."
                ),
                "breaks": (TrafficClass.POD_TO_EXTERNAL,),
                "extent": Extent.PARTIAL,
                "confidence": Confidence.LIKELY,
                "remedy": "Clamp the MSS of forwarded connections, or keep 1500.",
            }
        )
    else:
        yield base.model_copy(
            update={"message": f"{told} instead of {before or 'the default'}; it fits every hop of the node."}
        )


def mtu(state: NodeState) -> int | None:
    """What the active configuration gives to new pods."""
    found = network(state)
    return next((plugin.mtu for plugin in found.plugins if plugin.mtu), None) if found else None


def narrowest(state: NodeState, topology: Topology) -> tuple[str, int] | None:
    """The narrowest of the overlay devices, or of the uplinks less the overlay's overhead."""
    overlay = [link for link in state.links if link.name in topology.overlay_links]
    if overlay:
        return min((link.mtu, link.name) for link in overlay)[::-1]
    uplinks = [link for link in state.links if link.name in topology.uplinks]
    if not uplinks:
        return None
    size, name = min((link.mtu, link.name) for link in uplinks)
    return name, size - topology.encapsulation_overhead


def _lowered(base: Finding, told: str, before: int, after: int, review: Review) -> Finding:
    ranges = (*review.topology.pod_ranges, *review.topology.node_pod_ranges)
    if after < LEAST_IPV6 and any(":" in prefix for prefix in ranges):
        return base.model_copy(
            update={
                "message": f"{told}, below the {LEAST_IPV6} that IPv6 needs: the kernel takes IPv6 away from their links.",
                "breaks": (
                    TrafficClass.POD_TO_POD_CROSS_NODE,
                    TrafficClass.POD_TO_SERVICE,
                    TrafficClass.POD_TO_EXTERNAL,
                ),
                "extent": Extent.PARTIAL,
                "remedy": f"Stay at {LEAST_IPV6} or above.",
            }
        )
    hop = narrowest(review.after, review.topology)
    overhead = review.topology.encapsulation_overhead
    if review.topology.overlay is Overlay.CILIUM:
        return base.model_copy(
            update={
                "message": (
                    f"{told} instead of {before}. Cilium takes the value as the device's size and subtracts its own overhead "
                    "again, also from traffic of the host: bulk transfers to pods slow down."
                ),
                "breaks": (TrafficClass.KUBELET_PROBES, TrafficClass.POD_TO_POD_CROSS_NODE),
                "extent": Extent.INTERMITTENT,
                "capacity": True,
                "confidence": Confidence.LIKELY,
                "side_effects": ("performance",),
                "remedy": "Leave the value to cilium, or give the uplink's.",
            }
        )
    twice = hop is not None and overhead and after == hop[1] - overhead
    why = f"; the overhead of {overhead} octets is subtracted twice" if twice else ""
    return base.model_copy(
        update={
            "message": f"{told} instead of {before}{why}. Smaller packets fit everywhere; some throughput is lost.",
            "side_effects": ("performance",),
        }
    )


def _too_large(base: Finding, told: str, hop: tuple[str, int], topology: Topology) -> Finding:
    name, size = hop
    # A routed path answers with an ICMP error (net/ipv4/ip_forward.c, ip_exceeds_mtu) and TCP adapts;
    # cilium's and wireguard's datapaths drop such packets.
    silent = topology.overlay is Overlay.CILIUM or name.startswith(("wg", "cilium_wg", "wireguard"))
    if silent:
        return base.model_copy(
            update={
                "message": f"{told} while {name} carries {size}: larger packets to other nodes are lost without a usable error.",
                "breaks": (TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE),
                "extent": Extent.PARTIAL,
                "confidence": Confidence.LIKELY,
                "remedy": f"Use {size} or less.",
            }
        )
    return base.model_copy(
        update={
            "message": (
                f"{told} while {name} carries {size}. The node answers larger packets with an ICMP error and TCP adapts; "
                "datagrams that may not be fragmented fail."
            ),
            "side_effects": ("performance",),
            "remedy": f"Use {size} or less.",
        }
    )


RISK = Risk[DocumentChange | FileChange](
    id="pod-mtu-changed",
    title="New pods get another MTU",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "Linux, net/ipv4/ip_forward.c, ip_exceeds_mtu",
        "RFC 8200, section 5",
        "Cilium documentation, MTU",
    ),
    verify="ip -o link show | awk '{print $2, $4, $5}'",
    once=True,
)

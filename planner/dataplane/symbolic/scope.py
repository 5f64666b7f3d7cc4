"""What a comparison is about, and what in two states lies beyond it."""

from collections.abc import Iterator

from planner.dataplane.gaps import deciding
from planner.dataplane.native import Native
from planner.models.link import Link
from planner.models.node import NodeState

SCOPE = (
    "whole unicast packets of IPv4 and IPv6: those that came by a link that is up before and after, or cross a bridge, and the node's own",
    "packets of known flows as if their flow were not translated; translated ones keep the translation they have",
    "matches with a memory (limit, recent, quota) are taken to answer before as after",
    "the node's own packets carry an address of the node and no mark of a socket",
    "packets of IPv4 that may not be cut on the way",
    "chains of one priority are taken to be asked in the same order before and after",
)
LINK_HOOKS = frozenset({"ingress", "egress", "prerouting", "input", "forward", "output", "postrouting"})
AROUND = frozenset({"vrf"})
"""Kinds of links that change how packets are looked up."""


def carriers(before: NodeState, after: NodeState) -> list[str]:
    """Links by which packets can come, before and after."""
    there = {link.name for link in after.links if _receives(link)}
    return sorted(link.name for link in before.links if _receives(link) and link.name in there)


def bridge_ports(before: NodeState, after: NodeState) -> dict[str, tuple[str, ...]]:
    """For each bridge the ports by which frames can come, before and after."""
    held = [
        {(link.master, link.name) for link in state.links if link.up and link.master}
        for state in (before, after)
    ]
    bridges = [{link.name for link in state.links if link.kind == "bridge"} for state in (before, after)]
    found: dict[str, tuple[str, ...]] = {}
    for master, name in sorted(held[0] & held[1]):
        if master in bridges[0] & bridges[1]:
            found[master] = (*found.get(master, ()), name)
    return found


def _receives(link: Link) -> bool:
    # A port of a bridge or bond hands its packets to its master.
    return link.up and link.name != "lo" and not link.master


def beyond(before: NodeState, after: NodeState, family: str = "ip") -> Iterator[str]:
    """Why something beyond the computed classes of one family may be different."""
    sections = deciding(family)
    yield from dict.fromkeys(
        text
        for state in (before, after)
        for text in (
            *(str(gap) for gap in state.gaps if _matters(gap.section, sections)),
            *_around(state),
        )
    )


def _around(state: NodeState) -> Iterator[str]:
    yield from _native(state)
    if {"cilium_host", "cilium_net"} & {link.name for link in state.links}:
        yield "Cilium's eBPF programs on the links decide before the kernel's routing and rules"
    for link in state.links:
        if link.xdp:
            yield f"an XDP program on {link.name} may act on the same packets"
        if link.kind in AROUND:
            yield f"{link.name} is a {link.kind}: lookups go by its table"


def _native(state: NodeState) -> Iterator[str]:
    """Chains of nft that are not modelled: of links and bridges, and a rule set that cannot be read."""
    native = Native(state.native)
    if native.unread:
        yield "the rule set of nft is there only as text, and may act on the same packets"
    # Tables of inet have a hook of links, too (nft(8), ingress).
    for base in (
        *native.aside(frozenset({"netdev", "bridge"}), LINK_HOOKS),
        *native.aside(frozenset({"inet"}), frozenset({"ingress", "egress"})),
    ):
        yield f"{base} is on a link or bridge, and may act on the same packets"


def _matters(section: str, sections: tuple[str, ...]) -> bool:
    """Whether a gap leaves open what happens to a packet."""
    return any(
        section == known
        or known.startswith(f"{section}/")
        or section.startswith((f"{known}/", f"{known}.") if known.startswith("sysctl") else f"{known}/")
        for known in sections
    )

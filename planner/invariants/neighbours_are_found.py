"""Neighbours on a link with IPv6 find the node, and the node finds them.

IPv4 asks for a neighbour's hardware address by ARP, which iptables does not see. IPv6 asks in packets of its own, by ICMPv6 135
and 136, and these pass INPUT and OUTPUT untracked: a policy that drops, without a rule for ICMPv6, leaves a node that nobody on
the link can send to, as soon as the entries of the neighbour tables grow old. Whatever else the rules accept does not help.

The first question goes to a multicast group, of which snapshots do not tell whether it was joined; what is walked are the
question to the node's own address, by which an entry is confirmed, and the answer to the node's own question.
"""

from collections.abc import Iterator
from ipaddress import ip_network

from planner.dataplane.packet import number
from planner.dataplane.query import Query
from planner.dataplane.view import view_of
from planner.invariants.ground import Ground
from planner.invariants.invariant import COMING, Invariant
from planner.models.flow import Entry, Flow
from planner.models.invariant import Path
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.topology.prefixes import inside

ICMPV6, SOLICITATION, ADVERTISEMENT = 58, 135, 136
WORDS = {
    SOLICITATION: "neighbour solicitations (icmpv6 135)",
    ADVERTISEMENT: "neighbour advertisements (icmpv6 136)",
}
LONGEST = 126
"""Of a prefix that has room for a neighbour whose address can be guessed."""


def _paths(ground: Ground) -> Iterator[Path]:
    if not ground.main:
        return  # links are looked at once, whichever family leads
    for name in ground.topology.uplinks:
        if name == "lo" or name in ground.topology.overlay_links:
            continue
        # Where the proposal brings the first address, the path is one of the node with that address.
        for state in (ground.state, *ground.later):
            link = state.link(name)
            held = _global(link)
            if held:
                yield from _of_link(
                    state,
                    held[0],
                    name,
                    "" if state is ground.state else COMING,
                    alone=ground.family == "ip6",
                )
                break


def _global(link: Link | None) -> list[Address]:
    return [
        a
        for a in (link.addresses if link else ())
        if a.family == "ip6" and a.scope == "global" and a.length <= LONGEST
    ]


def _neighbour(state: NodeState, link: str, own: Address) -> str:
    """Who is known there: a gateway, else somebody of the neighbour table, else a plain address of the prefix."""
    net = ip_network(own.prefix, strict=False)
    known = [hop.via for route in state.routes for hop in route.nexthops if hop.link == link]
    known += [neighbour.address for neighbour in state.neighbours if neighbour.link == link]
    mine = {held.address for one in state.links for held in one.addresses}
    near = sorted(text for text in known if ":" in text and inside(text, (str(net),)))
    plain = (str(net[step]) for step in (1, 2, 3))
    return next(text for text in (*near, *plain) if text not in mine)


def _of_link(state: NodeState, held: Address, link: str, coming: str, *, alone: bool) -> Iterator[Path]:
    """`alone`: IPv6 is all that the node speaks."""
    own, other = held.address, _neighbour(state, link, held)
    for kind, words in WORDS.items():
        yield INVARIANT.path(
            "/".join(filter(None, (link, coming, "in", str(kind)))),
            f"{words} of neighbours on {link} to the node ({other} to {own})",
            _flow(other, own, kind, Entry(link=link)),
            answered=False,
            ends_at=("local",),
            everybody=alone,
        )
    query = Query(destination=number(other), source=number(own))
    found = view_of(state).fib("ip6").lookup(query, lambda _key, _reason: True)
    if [leg.link for leg in found.legs] != [link]:
        return  # the kernel sends them by the link whatever the routes say; a walk asks the routes
    for kind, words in WORDS.items():
        yield INVARIANT.path(
            "/".join(filter(None, (link, coming, "out", str(kind)))),
            f"the node's own {words} on {link} ({own} to {other})",
            _flow(own, other, kind, Entry()),
            answered=False,
            everybody=alone,
        )


def _flow(source: str, destination: str, kind: int, entry: Entry) -> Flow:
    # RFC 4861, 7.1: the hop limit of a valid one is 255.
    return Flow(
        family="ip6", protocol=ICMPV6, source=source, destination=destination, icmp_type=kind, hop_limit=255,
        state="UNTRACKED", entry=entry,
    )  # fmt: skip


INVARIANT = Invariant(
    id="neighbours-are-found",
    title="Neighbours on a link find the node over IPv6, and it finds them",
    words="IPv6 neighbour discovery",
    breaks=(TrafficClass.HOST_EGRESS, TrafficClass.NODE_MANAGEMENT),
    paths=_paths,
    control=True,
    underlay=True,
    sources=("RFC 4861", "Linux, net/ipv6/ndisc.c, ndisc_rcv", "RFC 4890, 4.4.1"),
)

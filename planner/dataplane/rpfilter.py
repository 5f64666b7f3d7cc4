"""The match rpfilter: a source check as a rule (net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c)."""

from planner.dataplane import gaps
from planner.dataplane.packet import NO_MARK, Packet
from planner.dataplane.query import LOOPBACK, Query
from planner.dataplane.view import View

NAME = "-m rpfilter"


def meets_rpfilter(text: str, packet: Packet, view: View) -> bool | None:
    """Whether the packet meets the match that a rule prints so; None when the way back is not known."""
    options = set(text.removeprefix(NAME).split())
    found = _found(options, packet, view)
    return None if found is None else found != ("--invert" in options)


def _found(options: set[str], packet: Packet, view: View) -> bool | None:
    family = packet.family
    if packet.in_link == LOOPBACK:
        return True
    if view.missing(gaps.routes(family)) or view.missing(gaps.policy_rules(family)):
        return None
    open_questions: list[str] = []

    def ask(_key: object, reason: str) -> bool:
        open_questions.append(reason)
        return True

    loose = "--loose" in options
    group = packet.destination >> (28 if family == "ip" else 120) == (0xE if family == "ip" else 0xFF)
    query = Query(
        destination=packet.source,
        source=0 if group else packet.destination,
        oif="" if loose or family == "ip" else packet.in_link,
        mark=packet.mark if "--validmark" in options else NO_MARK,
        tos=packet.tos,
        protocol=packet.protocol if family == "ip6" else 0,
    )
    found = view.fib(family).lookup(query, ask)
    if open_questions:
        return None
    if found.type == "local":
        return "--accept-local" in options
    if found.type != "unicast":
        return False
    return loose or any(leg.link == packet.in_link for leg in found.legs)

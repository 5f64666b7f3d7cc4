"""Questions about routing, answered by what routes packets: which way a packet takes, and whether a link takes its source."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from planner.dataplane import gaps
from planner.dataplane.choices import Choices
from planner.dataplane.packet import ICMP, Mark, Packet, number
from planner.dataplane.query import LOOPBACK, Found, Query, protocol_of, tos_of
from planner.dataplane.reverse_path import check_source
from planner.dataplane.routing import look_up
from planner.dataplane.view import View, view_of
from planner.dataplane.walk import End, Walk
from planner.models.flow import Disposition
from planner.models.node import NodeState
from planner.models.route import NextHop, PolicyRule, Route

T = TypeVar("T")
MOST = 64
"""Answers to open questions that are tried; more questions than that leave a doubt."""
DISCARDS = frozenset({"blackhole", "unreachable", "prohibit"})


@dataclass(frozen=True, slots=True)
class Way:
    """Where a packet goes."""

    type: str
    """`unicast`, `local`, `broadcast`, a kind of error, `none`, or `unknown`."""
    legs: tuple[NextHop, ...] = ()
    """Next hops that can be used; of several the kernel takes one for each flow."""
    route: Route | None = None
    rule: PolicyRule | None = None
    """The policy rule that decided."""
    doubt: str = ""
    """What is not known and may decide; the rest is the answer if it does not."""

    @property
    def leads(self) -> bool:
        """Whether packets go somewhere."""
        return self.type in {"unicast", "local"}

    @property
    def discards(self) -> bool:
        """Whether a route or rule drops them."""
        return self.type in DISCARDS

    @property
    def hops(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """Type, and (gateway, link) of each next hop: what a packet notices of a route."""
        return self.type, frozenset((leg.via, leg.link) for leg in self.legs)

    def __str__(self) -> str:
        if self.type == "none":
            return "no route"
        if self.type != "unicast":
            return self.type
        legs = [f"{'via ' + leg.via + ' ' if leg.via else ''}on {leg.link}" for leg in self.legs]
        return " or ".join(legs) or "no route"


@dataclass(frozen=True, slots=True)
class Check:
    """What a link says to the source of a packet that came by it."""

    refused: Disposition | None = None
    """`dropped by rp_filter` or `martian`; None when the packet goes on."""
    reason: str = ""
    doubt: str = ""
    """What is not known and may decide."""


def lookup(
    state: NodeState, destination: str, *, source: str = "", link: str | None = None, mark: int = 0
) -> Way:
    """The way of a packet: one of the node's own programs, or with `link` one that came by that link."""
    family = "ip6" if ":" in destination else "ip"
    query = Query(
        destination=number(destination),
        source=number(source) if source else 0,
        iif=LOOPBACK if link is None else link,
        mark=Mark(mark),
    )
    return lookup_query(state, family, query)


def lookup_query(state: NodeState, family: str, query: Query) -> Way:
    """The way of packets that a lookup may look at in more than addresses."""
    view = view_of(state)
    packet = Packet(family, 0, query.source, query.destination)

    def once(choices: Choices) -> Found | End:
        return look_up(Walk(view, choices, packet), query)

    answers, question = _every(once)
    known = [found for found in answers if isinstance(found, Found)]
    if not known:
        return Way("unknown", doubt=question)
    ways = [Way(one.type, one.legs, one.route, one.rule) for one in known]
    same = len(known) == len(answers) and all(way.hops == ways[0].hops for way in ways)
    return ways[0] if same else Way(known[0].type, known[0].legs, known[0].route, known[0].rule, question)


def reverse_path(
    state: NodeState, link: str, source: str, *, destination: str = "", out_link: str = "", mark: int = 0
) -> Check:
    """Whether a packet from `source` that came by `link` is taken: rp_filter, and the addresses that no other host has.

    `destination` is where it goes after translation (an own address unless it is said), `out_link` the link that it leaves by.
    """
    if ":" in source:
        # IPv6 makes no such check (net/ipv6/ip6_input.c).
        return Check()
    view = view_of(state)
    packet = Packet(
        "ip", ICMP, number(source), number(destination or _own(view, link)), in_link=link, mark=Mark(mark)
    )

    def once(choices: Choices) -> End | None:
        return check_source(Walk(view, choices, packet), out_link)

    ends, question = _every(once)
    doubt = next((view.missing(part) for part in _PARTS if view.missing(part)), "")
    if any((end is None) != (ends[0] is None) for end in ends):
        doubt = doubt or question
    end = ends[0]
    return Check(doubt=doubt) if end is None else Check(end.disposition, end.reason, doubt)


_PARTS = (gaps.routes("ip"), gaps.policy_rules("ip"))


def _own(view: View, link: str) -> str:
    """An address of the link, else of the node."""
    held = view.links.get(link)
    links = (*((held,) if held else ()), *view.links.values())
    own = (item.address for one in links for item in one.addresses if item.family == "ip")
    return next(own, "0.0.0.1")


def _every(run: Callable[[Choices], T]) -> tuple[list[T], str]:
    """What comes out for each answer to the open questions, and the first question."""
    order: list[tuple[bool, ...]] = [()]
    found: list[T] = []
    question = ""
    for given in order:
        if len(found) >= MOST:
            break
        choices = Choices(given, None)
        found.append(run(choices))
        question = question or (choices.log[0].text if choices.log else "")
        answers = tuple(choice.hit for choice in choices.log)
        order.extend((*answers[:place], False) for place in range(len(given), len(answers)))
    return found, question


def selected_by(rule: PolicyRule, destination: str) -> Query | None:
    """A packet to `destination` that the rule is for; None where none can be told."""
    if rule.inverted or set(rule.options) - {"realms"}:
        return None
    value, _, mask = rule.fwmark.partition("/")
    return Query(
        destination=number(destination),
        source=number(rule.source.split("/")[0]) if rule.source else 0,
        iif=rule.iif,
        oif=rule.oif,
        mark=Mark(int(value, 0) & (int(mask, 0) if mask else 0xFFFFFFFF)) if value else Mark(),
        tos=tos_of(rule.tos) & 0xFF,
        protocol=protocol_of(rule.ipproto) if rule.ipproto else 0,
        source_port=_first(rule.sport),
        destination_port=_first(rule.dport),
        user=int(rule.uidrange.partition("-")[0] or 0),
    )


def _first(span: str) -> int:
    return int(span.partition("-")[0].partition("/")[0] or 0)


SOMEWHERE = {
    "ip": ("203.0.113.1", "198.51.100.1", "192.0.2.1", "9.9.9.9", "1.1.1.1"),
    "ip6": ("2001:db8:ffff::1", "2620:fe::fe", "2606:4700:4700::1111"),
}
"""Addresses of documentation (RFC 5737, RFC 3849), then of public resolvers."""
NARROW = {"ip": 8, "ip6": 16}
"""Routes of such a length lead to somebody; shorter ones are the world, or half of it (`0.0.0.0/1`)."""


def outside(family: str, *states: NodeState) -> str:
    """An address of the world: one that no route of any table is for but the default."""
    fibs = [view_of(state).fib(family) for state in states]
    for address in SOMEWHERE[family]:
        if not any(fib.leads_narrowly(number(address), NARROW[family]) for fib in fibs):
            return address
    return SOMEWHERE[family][0]

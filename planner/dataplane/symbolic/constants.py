"""Rewritten destinations that nothing on the rest of the way can tell apart share one that stands for all of them."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import xor

from planner.dataplane.nft_rules import meaning
from planner.dataplane.symbolic.view import View, net_of, value_of
from planner.models.route import MAIN, Route
from planner.models.ruleset import IpSet, Table
from planner.netfilter.condition import AllOf, Condition, Field, FieldBits, FieldIn, InSet, Not, OneOf, merge
from planner.netfilter.effect import Goto, Jump
from planner.netfilter.lower import lower_text

NODE_PORTS = 30000, 32767
"""Of Services, where nobody says otherwise (kube-apiserver, --service-node-port-range)."""
PLAIN = frozenset({(0, "255"), (32766, "254"), (32767, "253")})
MOST = 20_000
"""Questions about addresses; with more of them every interval between two of their ends is a class of its own."""
AFTER = {
    "raw": None,
    "mangle": None,
    "filter": None,
    "security": None,
    "nat": frozenset({"INPUT", "POSTROUTING"}),
}
"""Base chains that a packet may meet after its destination was translated; None: any."""
SPECIAL = ("127.0.0.0/8", "0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "0.0.0.0/32")
LABELLED = (
    "::1/128", "fe80::/10", "ff00::/8", "::/128", "::ffff:0:0/96", "2002::/16", "2001::/32", "fc00::/7", "::/96", "fec0::/10",
    "3ffe::/16",
)  # fmt: skip
"""With the policy table of RFC 6724, by which sources are chosen (net/ipv6/addrlabel.c)."""
Interval = tuple[int, int]


class Unclear(Exception):  # noqa: N818 - not an error: the caller then tells all constants apart
    """Something looks at destinations in a way that is not a question about intervals."""


class Constants:
    """What stands for a destination, and for a port, after the translation before routing."""

    def __init__(self, views: tuple[View, View]) -> None:
        self._addresses: Classes | None = None
        self._ports: Classes | None = None
        try:
            asked = [*_routes(views), *(one for view in views for one in _asked(view))]
        except Unclear:
            return
        self._addresses = Classes([held for field, held in asked if field is Field.DESTINATION])
        self._ports = Classes([held for field, held in asked if field is Field.DESTINATION_PORT])

    def address(self, value: int) -> int:
        """The address that stands for this one."""
        return value if self._addresses is None else self._addresses.of(value)

    def port(self, value: int) -> int:
        """The port that stands for this one."""
        return value if self._ports is None else self._ports.of(value)


class Classes:
    """Numbers that lie in the same sets of intervals; the first one asked for stands for the others."""

    def __init__(self, asked: Sequence[tuple[Interval, ...]]) -> None:
        every = list(dict.fromkeys(asked))
        # Where the answer to a question turns: a bit for each question, turned at both ends of its intervals.
        turns: dict[int, int] = {}
        for number, intervals in enumerate(every):
            bit = 1 << number if len(every) <= MOST else 0
            for low, high in intervals:
                turns[low] = turns.get(low, 0) ^ bit
                turns[high + 1] = turns.get(high + 1, 0) ^ bit
        self._starts = sorted(turns)
        answers: Iterable[int] = accumulate((turns[start] for start in self._starts), xor)
        self._answers = list(answers) if len(every) <= MOST else list(range(1, len(self._starts) + 1))
        self._first: dict[int, int] = {}
        self._known: dict[int, int] = {}

    def of(self, value: int) -> int:
        """What stands for a number."""
        known = self._known.get(value)
        if known is None:
            at = bisect_right(self._starts, value) - 1
            known = self._known[value] = self._first.setdefault(self._answers[at] if at >= 0 else 0, value)
        return known


Asked = tuple[Field, tuple[Interval, ...]]


def _asked(view: View) -> Iterator[Asked]:
    """Every question about the destination that a packet has by then, and about its port."""
    whole = 1 << view.bits
    prefixes = [text for rule in view.rules for text in (rule.source, rule.destination) if text]
    prefixes += LABELLED if view.six else SPECIAL
    for held in view.addresses.values():
        for one in held:
            prefixes += [f"{text}/{one.length}" for text in (one.address, one.peer) if text]
            prefixes += [text for text in (one.address, one.peer, one.broadcast) if text]
            if view.six:
                # MASQUERADE takes the address that has most in common with the destination (RFC 6724, rule 8).
                prefixes += [f"{one.address}/{length}" for length in range(1, 129)]
    prefixes += sorted(_bridged(view))
    # A next hop may be the destination itself.
    hops = [hop.via for route in view.routes for hop in route.nexthops]
    hops += [one.hop.via for one in view.state.nexthop_objects if one.hop is not None]
    prefixes += [text for text in hops if text and (":" in text) == view.six]
    for prefix in dict.fromkeys(prefixes):
        net = net_of(prefix)
        yield Field.DESTINATION, ((net.value, net.last),)
    yield Field.DESTINATION_PORT, (NODE_PORTS,)
    for rule in view.rules:
        for text in (rule.sport, rule.dport):
            if text:
                low, _, high = text.partition("-")
                if not (low.isdigit() and (high or low).isdigit()):
                    raise Unclear
                yield Field.DESTINATION_PORT, ((int(low), int(high or low)),)
    for text in _rules(view):
        for condition in meaning(text, view.family).conditions:
            yield from _questions(condition, view, whole)


def _routes(views: tuple[View, View]) -> Iterator[Asked]:
    """Which route is taken, as far as that can make a difference between the sides."""
    groups: dict[object, list[Interval]] = {}
    plain = _same_lookups(views)
    for number, view in enumerate(views):
        held = (*view.routes, *(route for route in view.local_routes if route.table != MAIN))
        bridged = _bridged(view)
        times = Counter((route.table, route.prefix, route.tos) for route in held)
        others = {(one.table, one.prefix, one.tos): one for one in views[1 - number].routes} if plain else {}
        for route in held:
            net = net_of(route.prefix)
            key: object = (route.table, route.prefix)
            place = (route.table, route.prefix, route.tos)
            if others.get(place) == route and times[place] == 1:
                key = _likeness(view, route, net.length, bridged) or key
            groups.setdefault(key, []).append((net.value, net.last))
    for intervals in groups.values():
        yield Field.DESTINATION, merge(intervals)


def _same_lookups(views: tuple[View, View]) -> bool:
    """Whether both sides look in the same plain way, so that only changed routes lead elsewhere."""
    old, new = (view.state for view in views)
    if old.links != new.links or views[0].rules != views[1].rules:
        return False
    if any((rule.preference, rule.table) not in PLAIN or rule.action != "lookup" for rule in views[0].rules):
        return False
    return old.sysctls is new.sysctls or not any(
        key.endswith("ignore_routes_with_linkdown") for key, _ in old.sysctls.items() ^ new.sysctls.items()
    )


def _likeness(view: View, route: Route, length: int, bridged: set[str]) -> object:
    """What counts of a route that both sides have: which next hop it is does not, but for the source that MASQUERADE takes."""
    if (
        route.table != MAIN
        or route.type != "unicast"
        or len(route.nexthops) != 1
        or route.nexthop_id is not None
    ):
        return None
    hop = route.nexthops[0]
    via = value_of(hop.via) if hop.via and (":" in hop.via) == view.six else None
    near = tuple(
        via is not None
        and via >> view.bits - one.length == value_of(one.peer or one.address) >> view.bits - one.length
        for held in view.addresses.values()
        for one in held
    )
    known = hop.via if hop.via in bridged else ""
    plain = hop.model_copy(update={"via": known}), bool(hop.via), via is None, near
    return (plain, length, route.tos, route.metric, route.mtu, tuple(sorted(route.options.items())))


def _bridged(view: View) -> set[str]:
    """Whose port of a bridge is looked up: of no other link is it asked who is behind it."""
    bridges = {name for name, link in view.links.items() if link.kind == "bridge"}
    return {
        one.address
        for one in view.state.neighbours
        if one.link in bridges and (":" in one.address) == view.six
    }


def _rules(view: View) -> Iterator[str]:
    """Rules that a packet may meet after the translation."""
    for name, bases in AFTER.items():
        for _, table in view.tables(name):
            yield from dict.fromkeys(_reached(table, view.family, bases))
    for one in view.attached:
        for rules in one.table.chains.values():
            yield from rules


def _reached(table: Table, family: str, bases: frozenset[str] | None) -> Iterator[str]:
    todo = [chain for chain in table.policies if bases is None or chain in bases]
    seen = set(todo)
    while todo:
        for text in table.chains.get(todo.pop(), ()):
            yield text
            match lower_text(text, family).effect:
                case Jump(chain=chain) | Goto(chain=chain) if chain not in seen:
                    seen.add(chain)
                    todo.append(chain)
                case _:
                    pass


def _questions(condition: Condition, view: View, whole: int) -> Iterator[Asked]:
    match condition:
        case FieldIn(field=Field.DESTINATION | Field.DESTINATION_PORT as field, intervals=intervals):
            yield field, intervals
        case FieldBits(field=Field.DESTINATION | Field.DESTINATION_PORT):
            raise Unclear
        case Not(condition=inner):
            yield from _questions(inner, view, whole)
        case OneOf(conditions=parts) | AllOf(conditions=parts):
            for part in parts:
                yield from _questions(part, view, whole)
        case InSet(name=name, directions=directions) if "dst" in directions:
            for one in _with_members(name, view):
                yield from _elements(one, six=view.six)
        case _:
            pass


def _with_members(name: str, view: View) -> Iterator[IpSet]:
    """A set, and those that it is made of."""
    todo, seen = [name], {name}
    while todo:
        held = view.ipsets.get(todo.pop())
        if held is None:
            continue
        yield held
        if held.type.startswith("list:"):
            inner = {element.split()[0] for element in held.elements} - seen
            seen |= inner
            todo += sorted(inner)


def _elements(held: IpSet, *, six: bool) -> Iterator[Asked]:
    """Addresses and ports of a set's elements; its dimensions are asked for one by one."""
    kinds = held.type.partition(":")[2].split(",")
    if {"netmask", "bitmask", "markmask"}.intersection(held.options.split()):
        raise Unclear
    for element in held.elements:
        for kind, value in zip(kinds, element.split()[0].split(","), strict=False):
            try:
                if kind in {"ip", "net"}:
                    first, dash, last = value.partition("-")
                    if (":" in first) == six:
                        low = net_of(first)
                        yield Field.DESTINATION, ((low.value, value_of(last) if dash else low.last),)
                elif kind == "port":
                    first, _, last = value.rpartition(":")[2].partition("-")
                    if first.isdigit():
                        yield Field.DESTINATION_PORT, ((int(first), int(last or first)),)
            except ValueError:
                raise Unclear from None

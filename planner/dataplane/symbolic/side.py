"""One side's packets from stage to stage: which table or decision comes next, and what it does to a set."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.arrival import Arrival, icmp_errors, legs_of, told
from planner.dataplane.symbolic.arrival6 import Arrival6
from planner.dataplane.symbolic.bridging import Bridges
from planner.dataplane.symbolic.chains import Arrivals, Budget, Deciding, Walk
from planner.dataplane.symbolic.constants import NODE_PORTS
from planner.dataplane.symbolic.dispatch import Dispatch
from planner.dataplane.symbolic.effects import Effects
from planner.dataplane.symbolic.form import End, Form, leaving, lost, silent
from planner.dataplane.symbolic.linear import Stretches
from planner.dataplane.symbolic.match import Matcher, Place
from planner.dataplane.symbolic.routing import Query, Routing, Way
from planner.dataplane.symbolic.types import AddressTypes
from planner.dataplane.symbolic.view import View, value_of
from planner.models.flow import Disposition

INCOMING = (
    "prerouting raw", "prerouting mangle", "prerouting nat", "routing", "input mangle", "input filter",
    "input security", "input nat", "forward mangle", "forward filter", "forward security", "postrouting mangle",
    "postrouting nat",
)  # fmt: skip
"""In the order of the hooks' priorities (include/uapi/linux/netfilter_ipv4.h); conntrack looks between raw and mangle."""
INCOMING6 = ("arriving", *INCOMING)
"""Some packets of IPv6 are refused before any hook."""
ACROSS = ("bridging", *INCOMING)
"""For frames from one port of a bridge to another."""
LOCAL = (
    "output routing", "output raw", "output mangle", "output mangle again", "output nat", "output nat again", "output filter",
    "output security",
    "postrouting mangle", "postrouting nat", "prerouting raw", "prerouting mangle", "input mangle", "input filter",
    "input security",
)  # fmt: skip
"""For the node's own packets; those to itself come in again by lo, with their conntrack entry and their route."""
ROUTING_STAGES = frozenset(
    {"arriving", "bridging", "routing", "output routing", "output mangle again", "output nat again"}
)
"""Again: a packet that was changed in that table is routed anew."""
TABLE_STAGES = frozenset(INCOMING + LOCAL) - ROUTING_STAGES
FOLLOWS = {
    **dict(pairwise(INCOMING)), **dict(pairwise(LOCAL[:10])),
    "forward security": "postrouting mangle", "output mangle": "output nat", "output nat": "output filter",
}  # fmt: skip
Step = Form | End
SEES_LINK = re.compile(r"[\n ](?:-o |--limit-iface-out|--physdev-out)")
USED = re.compile(r"[\n ]-m (\w+)")
BLIND = frozenset(
    {
        "comment", "tcp", "udp", "sctp", "icmp", "icmp6", "multiport", "mark", "connmark", "conntrack", "state", "statistic",
        "recent", "limit", "hashlimit", "addrtype", "iprange", "string", "time", "quota", "ttl", "tos", "dscp", "length",
        "owner", "mac", "pkttype", "u32", "bpf",
    }
)  # fmt: skip
"""Matches that ask for the link that a packet leaves by in no other way than `SEES_LINK` finds."""


def _later() -> dict[str, frozenset[str]]:
    """For each stage those that a packet may come to from there, itself among them."""
    after: dict[str, set[str]] = {
        stage: {FOLLOWS[stage]} if stage in FOLLOWS else set() for stage in {*ACROSS, *INCOMING6, *LOCAL}
    }
    after["arriving"] = after["bridging"] = {"prerouting raw"}
    after["input nat"] = set()
    after["routing"] = {"input mangle", "forward mangle"}
    after["postrouting nat"] = {"prerouting raw"}
    after["prerouting mangle"].add("input mangle")
    for stage in ("output mangle", "output nat"):
        after[stage].add(f"{stage} again")
    found = {stage: {stage} for stage in after}
    for _ in after:
        for stage, held in found.items():
            held.update(*(found[one] for one in after[stage]))
    return {stage: frozenset(held) for stage, held in found.items()}


LATER = _later()


class Side:
    """Everything that one state answers."""

    def __init__(self, space: Space, view: View, budget: Budget) -> None:
        self.space = space
        self.view = view
        self.budget = budget
        self.stretches: Stretches[Deciding] = Stretches(space)
        self.by_rule = False
        """Whether ends are told apart by what decided so."""
        types = AddressTypes(space, view)
        self.bridges = Bridges(space, view)
        self.routing = Routing(space, view)
        self.matcher = Matcher(space, view, types, self.bridges, self.routing)
        self.effects = Effects(space, view, self.matcher)
        self.arrival = Arrival(space, view, self.routing, self.bridges)
        self.arrival6 = Arrival6(space, view, self.routing, self.bridges)
        # nf_nat_core.c, nf_nat_inet_fn(): errors follow the flow they are about; other first packets ask the rules.
        first = self.matcher.states["NEW"] | self.matcher.states["RELATED"]
        self.first = first & ~icmp_errors(space)
        self.loopback_leaves: dict[str, PacketSet] = {}

    def step(
        self, stage: str, arrivals: Arrivals, *, dispatch: Dispatch | None = None
    ) -> dict[Step, PacketSet]:
        """Packets through one stage; with a dispatch when the other side treats them alike."""
        found: dict[Step, PacketSet] = {}
        decide = self._decision(stage)
        if decide is not None:
            for form, where in arrivals.items():
                self.budget.spend(10)
                for part, step in decide(where, form):
                    if self.by_rule and isinstance(step, End):
                        step = replace(step, rule=step.reason)  # noqa: PLW2901 - the end as it is told
                    add(found, step, part)
            return found
        hook, _, table = stage.partition(" ")
        passing = {form: where for form, where in arrivals.items() if where.satisfiable()}
        if dispatch is not None:
            dispatch.turn.stage = stage
        for _backend, held in self.view.tables(table):
            passing, aside = self._asked(passing, hook, table)
            walk = Walk(
                self.space,
                self.matcher,
                self.effects,
                self.budget,
                held,
                Place(hook, table),
                self.stretches,
                dispatch,
                by_rule=self.by_rule,
            )
            walk.base(passing)
            for end, where in walk.ended.items():
                add(found, end, where)
            passing = walk.accepted
            for form, where in aside.items():
                passing[form] = passing[form] | where if form in passing else where
        if stage in {"output mangle", "output nat"}:
            passing = self._kept(stage, arrivals, passing, found)
        for form, where in passing.items():
            if stage == "postrouting nat" and form.bridge:
                for some, left in self.bridges.leave(where, form):
                    add(found, left, some)
            elif stage == "input nat" and (away := where & self._served(form)).satisfiable():
                add(found, lost(form, "IPVS may send it on to an endpoint, which is not modelled"), away)
                add(found, self._onward(stage, form), where & ~away)
            else:
                add(found, self._onward(stage, form), where)
        return found

    def blind(self, stage: str) -> bool:
        """Whether no rule of a stage's table can look at the link that packets leave by."""
        for _, table in self.view.tables(stage.partition(" ")[2]):
            text = "\n".join(["", *(rule for rules in table.chains.values() for rule in rules)])
            if SEES_LINK.search(text) or not BLIND.issuperset(USED.findall(text)):
                return False
        return True

    def _decision(self, stage: str) -> Callable[[PacketSet, Form], list[tuple[PacketSet, Step]]] | None:
        """What decides at a stage that is no table."""
        match stage:
            case "arriving":
                return self.arrival6.arrive
            case "bridging":
                return self.bridges.enter
            case "routing":
                return self._route
            case "output routing":
                return self._leave
            case "output mangle again" | "output nat again":
                return self._again
            case _:
                return None

    def _route(self, where: PacketSet, form: Form) -> list[tuple[PacketSet, Step]]:
        """Routed, unless it is a frame that goes on to its port."""
        decide = self.arrival6.decide if self.view.six else self.arrival.decide
        seen = where & self.bridges.seen
        if not seen.satisfiable():
            return decide(where, form)
        found: list[tuple[PacketSet, Step]] = []
        if form.destination is not None:
            # br_nf_pre_routing_finish(): only a new destination is looked up by the bridge itself.
            moved = seen & ~self.effects.kept(Part.DESTINATION, form.destination)
            found += decide(moved, form, turned=True)
            where, seen = where & ~moved, seen & ~moved
        if form.across:
            return found + self.bridges.cross(where, form)
        if self.view.six:
            ends, left = self.arrival6.refuse(seen)
            found += ends
            where = (where & ~seen) | left
        return found + decide(where, form)

    def _asked(self, arrivals: Arrivals, hook: str, table: str) -> tuple[Arrivals, Arrivals]:
        """Packets that the table's rules see, and those that pass it by."""
        if table != "nat":
            return arrivals, {}
        asked: Arrivals = {}
        aside: Arrivals = {}
        for form, where in arrivals.items():
            bound = form.bound_source if hook in {"postrouting", "input"} else form.bound
            if bound or form.untracked or not self.view.tracked:
                aside[form] = where
                continue
            first, rest = where & self.first, where & ~self.first
            if first.satisfiable():
                asked[form] = first
            if rest.satisfiable():
                aside[form] = rest
        return asked, aside

    def _served(self, form: Form) -> PacketSet:
        """Packets that IPVS may take out of INPUT: to the addresses of its link, and to node ports."""
        space = self.space
        own = self.view.addresses.get("kube-ipvs0")
        if own is None:
            return space.none
        values = sorted({value_of(one.address) for one in own})
        if form.destination is None:
            found = space.union([space.equals(Part.DESTINATION, value) for value in values])
        else:
            found = space.union(
                [self.effects.is_now(Part.DESTINATION, form.destination, one) for one in values]
            )
        low, high = NODE_PORTS
        if form.destination_port is None:
            return found | (self.matcher.ports & space.interval(Part.DESTINATION_PORT, low, high))
        return space.all if low <= form.destination_port <= high else found

    def _onward(self, stage: str, form: Form) -> Step:
        """What comes after a stage that was passed."""
        if stage == "input nat" or (stage == "input security" and form.came):
            return leaving(replace(form, link="", hop=""))
        if stage == "prerouting mangle" and form.came:
            return replace(form, stage="input mangle")
        if stage == "output security":
            return replace(form, stage=FOLLOWS[stage], first_link="")
        if stage == "postrouting nat":
            if form.link == "lo":
                return replace(form, stage="prerouting raw", came="lo", link="", hop="")
            return leaving(form)
        return replace(form, stage=FOLLOWS[stage])

    def _leave(self, where: PacketSet, form: Form) -> list[tuple[PacketSet, Step]]:
        """The route of a packet that a program of the node sends."""
        found = self._routed(where, form, replace(form, stage="output raw"))
        return [
            (part, replace(step, first_link=step.link) if isinstance(step, Form) else step)
            for part, step in found
        ]

    def _kept(
        self, stage: str, arrivals: Arrivals, passing: Arrivals, found: dict[Step, PacketSet]
    ) -> Arrivals:
        """Packets that keep their route; those of which something was changed that it hung on are routed again."""
        left: Arrivals = {}
        for form, where in passing.items():
            same = self.space.none
            for old, before in arrivals.items():
                # ipt_mangle_out() compares addresses, mark and type of service; nf_nat_ipv4_local_fn() the destination.
                if old.destination == form.destination and (
                    stage == "output nat"
                    or (old.mark, old.mark_unknown, old.tos) == (form.mark, form.mark_unknown, form.tos)
                ):
                    same = same | before
            if (where & same).satisfiable():
                left[form] = where & same
            add(found, replace(form, stage=f"{stage} again"), where & ~same)
        return left

    def _again(self, where: PacketSet, form: Form) -> list[tuple[PacketSet, Step]]:
        """The second lookup of a packet of the node."""
        return [
            (part, replace(step, stage=FOLLOWS[form.stage]) if isinstance(step, Form) else step)
            for part, step in self._routed(where, form, form, again=True)
        ]

    def _routed(
        self, where: PacketSet, form: Form, onward: Form, *, again: bool = False
    ) -> list[tuple[PacketSet, Step]]:
        query = Query(
            destination=Part.DESTINATION if form.destination is None else form.destination, source=Part.SOURCE,
            iif="lo", mark=form.mark, mark_unknown=form.mark_unknown, tos=form.tos, local=True,
            # ip_route_me_harder() sets no user, ip6_route_me_harder() does (measured).
            user=self.view.six or not again, bare=again and not self.routing.dissects,
            destination_port=Part.DESTINATION_PORT if form.destination_port is None else form.destination_port,
        )  # fmt: skip
        found: list[tuple[PacketSet, Step]] = []
        for part, way in self.routing.lookup(where, query):
            found.extend(self._by(part, way, onward))
        return found

    def _by(self, where: PacketSet, way: Way, onward: Form) -> list[tuple[PacketSet, Step]]:
        match way.kind:
            case "local" | "anycast":
                return [(where, replace(onward, link="lo", hop=""))]
            case "unicast" | "broadcast" | "multicast":
                found: list[tuple[PacketSet, Step]] = []
                for part, link, hop in legs_of(self.space, where, way, onward):
                    bad = part & self._kept_in(link)
                    found.append(
                        (bad, silent(Disposition.MARTIAN, f"loopback addresses may not leave by {link}"))
                    )
                    found.append((part & ~bad, replace(onward, link=link, hop=hop)))
                return found
            case "none":
                kind = "no-route" if self.view.six else "net-unreachable"
                return [*told(self.space, where, Disposition.NO_ROUTE, "no route", kind)]
            case "blackhole":
                return [(where, silent(Disposition.BLACKHOLE, way.text))]
            case "net-unreachable" | "host-unreachable" | "admin-prohibited" | "no-route":
                return [*told(self.space, where, Disposition.UNREACHABLE, way.text, way.kind)]
            case _:
                return [(where, lost(onward, way.doubt or f"route type {way.kind}"))]

    def _kept_in(self, link: str) -> PacketSet:
        """Packets with a loopback address as source leave only where route_localnet says so (route.c, __mkroute_output())."""
        if link in {"", "lo"} or self.view.six:
            return self.space.none
        known = self.loopback_leaves.get(link)
        if known is None:
            answer = self.view.either(link, "route_localnet")
            sure = self.space.all if answer else self.space.none
            if answer is None:
                text = f"route_localnet of {link} is not in the snapshot"
                sure = self.space.oracle(("knob", link, "route_localnet"), text=text)
            known = self.loopback_leaves[link] = self.space.prefix(Part.SOURCE, 127 << 24, 8) & ~sure
        return known


def add(into: dict[Step, PacketSet], step: Step, where: PacketSet) -> None:
    """Packets with the same future belong together."""
    if where.satisfiable():
        into[step] = into[step] | where if step in into else where

"""One side's packets from stage to stage: which table or decision comes next, and what it does to a set."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise, permutations

from planner.dataplane.order import NATIVE, Group, Player
from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.arrival import Arrival, icmp_errors, legs_of, told
from planner.dataplane.symbolic.arrival6 import Arrival6
from planner.dataplane.symbolic.bridging import Bridges
from planner.dataplane.symbolic.chains import Arrivals, Budget, Deciding, Walk, join
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
LOCAL_TOO = (*LOCAL[:-3], "prerouting nat", *LOCAL[-3:], "input nat")
"""Where chains of nft hang on hooks, packets to the node itself meet those beside the tables that they pass by."""
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
MOST_TOGETHER = 3
"""Chains of one priority that are asked in every order."""
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
    after["prerouting nat"].add("input mangle")
    for stage in ("output mangle", "output nat"):
        after[stage].add(f"{stage} again")
    found = {stage: {stage} for stage in after}
    for _ in after:
        for stage, held in found.items():
            held.update(*(found[one] for one in after[stage]))
    return {stage: frozenset(held) for stage, held in found.items()}


LATER = _later()


@dataclass(slots=True)
class Turn:
    """One pass through a stage."""

    stage: str
    dispatch: Dispatch | None
    found: dict[Step, PacketSet]
    """Where packets went that do not come to the next chain."""
    moved: PacketSet
    """Packets of the node of which something was changed that their route hung on."""


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
        turn = Turn(stage, dispatch, found, self.space.none)
        for group in self.view.groups(hook, table):
            passing = self._group(group, passing, turn)
        if stage == "output mangle":
            passing = self._again_if(turn.moved, passing, found)
        elif stage == "output nat":
            passing = self._kept(arrivals, passing, found)
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

    def _group(self, group: Group, arrivals: Arrivals, turn: "Turn") -> Arrivals:
        """Packets past chains of one priority, of which it is not known which one is asked first: in every order."""
        if len(group) == 1:
            return self._played(group[0], arrivals, turn)
        if len(group) > MOST_TOGETHER:
            for form, where in arrivals.items():
                add(
                    turn.found,
                    lost(form, f"{len(group)} chains of one priority: {', '.join(map(str, group))}"),
                    where,
                )
            return {}
        text = f"{' and '.join(map(str, group))} have one priority, and which of them was loaded first is not known"
        passing: Arrivals = {}
        rest = self.space.all
        orders = list(permutations(group))
        for at, order in enumerate(orders):
            this = rest
            if at < len(orders) - 1:
                this = rest & self.space.oracle(("order", turn.stage, at), text=text)
                rest = rest & ~this
            inner = replace(turn, found={}, moved=self.space.none)
            past = arrivals
            for player in order:
                past = self._played(player, past, inner)
            for step, where in inner.found.items():
                add(turn.found, step, where & this)
            join(passing, ((form, where & this) for form, where in past.items()))
            turn.moved = turn.moved | (inner.moved & this)
        return passing

    def _played(self, player: Player, arrivals: Arrivals, turn: "Turn") -> Arrivals:
        """Packets past one base chain."""
        hook, _, table = turn.stage.partition(" ")
        if player.unplaced:
            return self._unplaced(player, arrivals, turn)
        passing, aside = self._asked(arrivals, hook) if player.translates else (arrivals, {})
        native = player.backend == NATIVE
        place = Place(
            hook, player.table.name if native else table, (), table == "raw", player.chain if native else ""
        )
        walk = Walk(
            self.space,
            self.matcher,
            self.effects,
            self.budget,
            player.table,
            place,
            self.stretches,
            turn.dispatch,
            by_rule=self.by_rule,
        )
        walk.base(passing)
        for end, where in walk.ended.items():
            add(turn.found, end, where)
        if player.reroutes:
            turn.moved = turn.moved | self._moved(passing, walk.accepted)
        join(walk.accepted, aside.items())
        return walk.accepted

    def _unplaced(self, player: Player, arrivals: Arrivals, turn: "Turn") -> Arrivals:
        """Packets past a chain of which it is not known when it is asked."""
        hook = turn.stage.partition(" ")[0]
        doubt = self.view.node.native.out_of_turn(self.view.family, hook, player.table.name, player.chain, {})
        if not doubt:
            return arrivals
        for form, where in arrivals.items():
            add(turn.found, lost(form, doubt), where)
        return {}

    def blind(self, stage: str) -> bool:
        """Whether no rule of a stage's table can look at the link that packets leave by."""
        hook, _, name = stage.partition(" ")
        if any(player.backend == NATIVE for group in self.view.groups(hook, name) for player in group):
            return False
        for _, table in self.view.tables(name):
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

    def _asked(self, arrivals: Arrivals, hook: str) -> tuple[Arrivals, Arrivals]:
        """Packets that rules for translations see, and those that pass them by."""
        asked: Arrivals = {}
        aside: Arrivals = {}
        for form, where in arrivals.items():
            bound = form.bound_source if hook in {"postrouting", "input"} else form.bound
            # What comes in again by lo was bound on its way out.
            if bound or form.came or form.untracked or not self.view.tracked:
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
        if stage == "input nat" or (stage == "input security" and form.came and not self.view.attached):
            return leaving(form._replace(link="", hop=""))
        late = "prerouting nat" if self.view.attached else "prerouting mangle"
        if form.came and stage == late:
            return form._replace(stage="input mangle")
        if stage == "output security":
            return form._replace(stage=FOLLOWS[stage], first_link="")
        if stage == "postrouting nat":
            if form.link == "lo":
                return form._replace(stage="prerouting raw", came="lo", link="", hop="")
            return leaving(form)
        return form._replace(stage=FOLLOWS[stage])

    def _leave(self, where: PacketSet, form: Form) -> list[tuple[PacketSet, Step]]:
        """The route of a packet that a program of the node sends."""
        found = self._routed(where, form, form._replace(stage="output raw"))
        return [
            (part, step._replace(first_link=step.link) if isinstance(step, Form) else step)
            for part, step in found
        ]

    def _kept(self, arrivals: Arrivals, passing: Arrivals, found: dict[Step, PacketSet]) -> Arrivals:
        """Packets that keep their route; those with another destination are routed again (nf_nat_ipv4_local_fn())."""
        left: Arrivals = {}
        for form, where in passing.items():
            same = self.space.union(
                [before for old, before in arrivals.items() if old.destination == form.destination]
            )
            if (where & same).satisfiable():
                left[form] = where & same
            add(found, form._replace(stage="output nat again"), where & ~same)
        return left

    def _moved(self, arrivals: Arrivals, passing: Arrivals) -> PacketSet:
        """Packets of which a chain changed what their route hangs on (ipt_mangle_out(), nf_route_table_hook4())."""
        found = self.space.none
        for form, where in passing.items():
            same = self.space.union(
                [
                    before
                    for old, before in arrivals.items()
                    if (old.destination, old.mark, old.mark_unknown, old.tos)
                    == (form.destination, form.mark, form.mark_unknown, form.tos)
                ]
            )
            found = found | (where & ~same)
        return found

    def _again_if(self, moved: PacketSet, passing: Arrivals, found: dict[Step, PacketSet]) -> Arrivals:
        """Packets that keep their route; the others are routed again."""
        if not moved.satisfiable():
            return passing
        for form, where in passing.items():
            add(found, form._replace(stage="output mangle again"), where & moved)
        return {form: left for form, where in passing.items() if (left := where & ~moved).satisfiable()}

    def _again(self, where: PacketSet, form: Form) -> list[tuple[PacketSet, Step]]:
        """The second lookup of a packet of the node."""
        return [
            (part, step._replace(stage=FOLLOWS[form.stage]) if isinstance(step, Form) else step)
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
                return [(where, onward._replace(link="lo", hop=""))]
            case "unicast" | "broadcast" | "multicast":
                found: list[tuple[PacketSet, Step]] = []
                for part, link, hop in legs_of(self.space, where, way, onward):
                    bad = part & self._kept_in(link)
                    found.append(
                        (bad, silent(Disposition.MARTIAN, f"loopback addresses may not leave by {link}"))
                    )
                    found.append((part & ~bad, onward._replace(link=link, hop=hop)))
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

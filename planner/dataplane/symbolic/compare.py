"""The packets that two states of a node treat differently."""

from collections.abc import Sequence
from functools import cached_property, partial

from planner.dataplane.packets.layout import FAMILIES, STATES, WIDTHS, Part
from planner.dataplane.packets.space import BudgetExceededError, OutOfNodes, PacketSet, Space
from planner.dataplane.symbolic.calls import Calls
from planner.dataplane.symbolic.chains import Budget
from planner.dataplane.symbolic.changed import Changed, changes
from planner.dataplane.symbolic.classes import OpenEnds, classes_of, differing
from planner.dataplane.symbolic.constants import Constants
from planner.dataplane.symbolic.dispatch import Dispatch
from planner.dataplane.symbolic.form import End
from planner.dataplane.symbolic.idle import Idle
from planner.dataplane.symbolic.lockstep import Ends, run
from planner.dataplane.symbolic.partition import Partition
from planner.dataplane.symbolic.region import Region
from planner.dataplane.symbolic.scope import SCOPE, beyond, bridge_ports, carriers
from planner.dataplane.symbolic.side import ACROSS, INCOMING, INCOMING6, LOCAL, LOCAL_TOO, Side
from planner.dataplane.symbolic.view import View, net_of
from planner.models.comparison import PASSES, Comparison, DeadRule, Loss, PacketClass
from planner.models.node import NodeState
from planner.models.noun import Noun
from planner.models.traffic import PacketBox, TrafficPart


class Hint(Noun):
    """What a witness should look like, if it can: every field that is given."""

    source: str = ""
    """Prefix."""
    destination: str = ""
    protocol: int | None = None
    destination_port: int | None = None
    link: str = ""


USUAL = (
    ((Part.STATE, STATES.index("NEW")),),
    ((Part.PROTOCOL, 6),),
    ((Part.PROTOCOL, 17),),
    ((Part.PROTOCOL, 1),),
    ((Part.PROTOCOL, 58),),
    ((Part.TCP_FLAGS, 2),),
    ((Part.ICMP_TYPE, 8),),
    ((Part.ICMP_TYPE, 128),),
    ((Part.ICMP_CODE, 0),),
    ((Part.HOP_LIMIT, 64),),
    ((Part.TOS, 0),),
    ((Part.LENGTH, 60),),
    ((Part.SOURCE_PORT, 40000),),
    ((Part.DESTINATION_PORT, 443),),
    ((Part.DESTINATION_PORT, 80),),
    ((Part.DESTINATION_PORT, 53),),
)
"""A packet that people have seen."""
ODD = {"ip": ((0, 8), (127 << 24, 8)), "ip6": ((0, 8), (0xFE80 << 112, 10))}
"""Sources that no other host has."""
NO_HOST = {"ip": ((0, 8), (0xE0 << 24, 3)), "ip6": ((0xFF << 120, 8), (0, 128))}
"""Sources that no host has: groups, broadcasts, and no address at all."""
UNICAST = {"ip": ((0xE0000000, 4), (0xFFFFFFFF, 32)), "ip6": ((0xFF << 120, 8),)}
"""Every destination but these."""


class Analysis:
    """Two states in one space."""

    def __init__(
        self, before: NodeState, after: NodeState, *, budget: Budget | None = None, family: str = "ip"
    ) -> None:
        self.family = family
        self.names = ["", *carriers(before, after)]
        self.space = Space.of(family)
        if len(self.names) >> WIDTHS[Part.IN_LINK]:
            raise BudgetExceededError(f"{len(self.names)} links are more than can be told apart")
        codes = {name: at for at, name in enumerate(self.names) if name}
        self.ports = {name: held for name, held in bridge_ports(before, after).items() if name in codes}
        ports = ["", *(name for held in self.ports.values() for name in held)]
        if len(ports) >> WIDTHS[Part.IN_PORT]:
            raise BudgetExceededError(f"{len(ports)} ports of bridges are more than can be told apart")
        self.space.names |= {Part.IN_PORT: ports, Part.OUT_PORT: ports}
        numbers = {name: at for at, name in enumerate(ports) if name}
        self.views = View(self.space, before, codes, numbers), View(self.space, after, codes, numbers)
        spent = budget or Budget()
        self.space.spend = spent.spend
        self.calls = Calls(self.space.family)
        self.changed: Changed = changes(*self.views, self.calls)
        self.sides = Side(self.space, self.views[0], spent), Side(self.space, self.views[1], spent)
        self.sides[1].stretches = self.sides[0].stretches
        if self.changed.stages & {"routing", "output routing"}:
            for side, salt in zip(self.sides, ("before", "after"), strict=True):
                side.matcher.salt = side.matcher.types.salt = salt

        self._region = Region(self.space, self.sides, self.changed, self.calls)

    def region(self) -> PacketSet:
        """Packets that the change can touch."""
        return self._region.packets

    def entries(self) -> tuple[tuple[tuple[str, ...], PacketSet], ...]:
        """Ways in: the stages, and all packets that take them."""
        space = self.space
        states = space.interval(Part.STATE, 0, STATES.index("INVALID"))
        many = [space.prefix(Part.DESTINATION, value, length) for value, length in UNICAST[self.family]]
        every = states & ~space.union(many)
        arriving = space.interval(Part.IN_LINK, 1, len(self.names) - 1) if len(self.names) > 1 else space.none
        to_node, no_port = space.equals(Part.OUT_PORT, 0), space.equals(Part.IN_PORT, 0)
        own = space.equals(Part.IN_LINK, 0) & self.views[0].own & self.views[1].own & no_port & to_node
        order = INCOMING6 if self.family == "ip6" else INCOMING
        local = LOCAL_TOO if self.views[0].attached or self.views[1].attached else LOCAL
        by_port, across = self._by_port()
        plain = arriving & ~self.views[0].came_by([*self.ports]) & no_port
        return ((order, every & to_node & (plain | by_port)), (local, every & own), (ACROSS, every & across))

    def _by_port(self) -> tuple[PacketSet, PacketSet]:
        """Packets that come by a port of a bridge, and those of them that are addressed to another port."""
        view, space = self.views[0], self.space
        came, across = [], []
        for name, ports in self.ports.items():
            here = view.came_by({name}) & view.by_port(ports)
            came.append(here)
            same = [view.by_port({port}) & view.by_port({port}, Part.OUT_PORT) for port in ports]
            across.append(here & view.by_port(ports, Part.OUT_PORT) & ~space.union(same))
        return space.union(came), space.union(across)

    @cached_property
    def dispatch(self) -> Dispatch:
        """What packets that are treated alike are taken together by."""
        return Dispatch(self.space, self.constants)

    @cached_property
    def constants(self) -> Constants:
        """Which destinations nothing tells apart."""
        return Constants(self.views)

    def ends(
        self,
        order: tuple[str, ...],
        where: PacketSet,
        *,
        whole: bool = True,
        together: bool = False,
        dispatch: Dispatch | None = None,
        resolved: bool = True,
    ) -> Ends:
        """Every packet of a set with both its ends; unless all are asked for, those that end alike may be left out.

        `together`: destinations that nothing tells apart are one, so that an end names one of several. Unless `resolved`, it is
        for the caller to resolve what it joins, and to dismiss the stand-ins.
        """
        return run(
            self.space, self.sides, order, where, changed=self.changed.stages, touched=self._region.touched,
            dispatch=self.dispatch if together else dispatch, whole=whole, resolved=resolved,
        )  # fmt: skip

    def apart(
        self, order: tuple[str, ...], open_ends: OpenEnds, where: PacketSet
    ) -> list[tuple[End, End, PacketSet]]:
        """Those packets of a small set that are treated differently, with their ends as they are."""
        ends = self.ends(order, where, whole=False)
        parts = [
            (one, other, part if one == other and open_ends(one) else differing(self.space, one, other, part))
            for (one, other), part in ends.items()
        ]
        return [one for one in parts if one[2].satisfiable()]

    def passed(self, where: PacketSet) -> PacketSet:
        """Those of the packets that passed before, for some draw."""
        space = self.space
        found: list[PacketSet] = []
        for order, entry in self.entries():
            here = where & entry
            if here.satisfiable():
                ends = self.ends(order, here, together=True, resolved=False)
                passing = [part for (before, _), part in ends.items() if before.disposition in PASSES]
                found.append(space.resolved(space.union(passing)))
                space.dismiss()
        return space.possible(space.union(found))

    def dead(self) -> tuple[DeadRule, ...]:
        """Rules that no packet meets any more; asked last, as its questions are others than those about packets."""
        try:
            return tuple(Idle(self.space, self.sides, self.changed, self.calls).found())
        except (BudgetExceededError, OutOfNodes):
            return ()

    def _plain_sources(self) -> PacketSet:
        """Sources that a host may have: no groups, and no ends of the node's own networks."""
        space = self.space
        never = [space.prefix(Part.SOURCE, value, length) for value, length in NO_HOST[self.family]]
        for view in self.views if self.family == "ip" else ():
            for held in view.addresses.values():
                for net in (net_of(address.prefix) for address in held):
                    if net.length < 31:
                        last = net.value | ((1 << (32 - net.length)) - 1)
                        never += [space.equals(Part.SOURCE, net.value), space.equals(Part.SOURCE, last)]
        return ~space.union(never)

    def wishes(self, hints: Sequence[Hint]) -> list[PacketSet]:
        """What makes a witness readable, the most wanted first."""
        space = self.space
        found = [self._plain_sources()]
        for hint in hints:
            if any(
                prefix and (":" in prefix) != (self.family == "ip6")
                for prefix in (hint.source, hint.destination)
            ):
                continue
            one = space.all
            for part, prefix in ((Part.SOURCE, hint.source), (Part.DESTINATION, hint.destination)):
                if prefix:
                    net = net_of(prefix)
                    one = one & space.prefix(part, net.value, net.length)
            if hint.protocol is not None:
                one = one & space.equals(Part.PROTOCOL, hint.protocol)
            if hint.destination_port is not None:
                one = one & space.equals(Part.DESTINATION_PORT, hint.destination_port)
            if hint.link in self.names:
                one = one & space.equals(Part.IN_LINK, self.names.index(hint.link)) if hint.link else one
            found.append(one)
        for wish in USUAL:
            one = space.all
            for part, value in wish:
                one = one & space.equals(part, value)
            found.append(one)
        # Addresses that a reader takes for addresses of hosts.
        for part in (Part.SOURCE, Part.DESTINATION):
            found.append(~space.bits(part, 0, 0xFF) & ~space.bits(part, 0xFF, 0xFF))  # noqa: PERF401 - two sorts of wishes
        for value, length in ODD[self.family]:
            found.append(~space.prefix(Part.SOURCE, value, length))
        found.append(~space.prefix(Part.DESTINATION, 0, 8))
        return found


def compare(
    before: NodeState,
    after: NodeState,
    *,
    hints: Sequence[Hint] = (),
    parts: Sequence[TrafficPart] = (),
    near: Sequence[PacketBox] = (),
    budget: Budget | None = None,
) -> Comparison:
    """Classes of packets that are treated differently. None, and nothing unknown, is a proof that there are none.

    `parts` are those that classes are told by; `near` is whose new connections do not come from outside.
    """
    told = [_compare(before, after, family, hints, parts, near, budget) for family in FAMILIES]
    unknown = [text for one in told for text in one.unknown]
    found = [one for family in told for one in family.classes]
    found.sort(key=lambda one: one.witness.state != "NEW")
    return Comparison(
        classes=tuple(found), losses=tuple(loss for one in told for loss in one.losses),
        unknown=tuple(dict.fromkeys(unknown)), scope=SCOPE,
        dead=tuple(one for family in told for one in family.dead),
        doubts={
            family: one.doubts[family] for family, one in zip(FAMILIES, told, strict=True) if family in one.doubts
        },
        unfinished=tuple(family for one in told for family in one.unfinished),
    )  # fmt: skip


def _compare(
    before: NodeState, after: NodeState, family: str, hints: Sequence[Hint], parts: Sequence[TrafficPart],
    near: Sequence[PacketBox], budget: Budget | None,
) -> Comparison:  # fmt: skip
    """Packets of one family."""
    unknown = [*beyond(before, after, "ip")] if family == "ip" else []
    found: list[PacketClass] = []
    losses: tuple[Loss, ...] = ()
    unfinished: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    analysis: Analysis | None = None
    try:
        spent = Budget() if budget is None else Budget(budget.visits)
        analysis = Analysis(before, after, budget=spent, family=family)
        unknown.extend(analysis.changed.doubts)
        if not analysis.changed.any:
            # What is not known of a family of which nothing changed did not change either.
            return Comparison(unknown=tuple(unknown))
        if family != "ip":
            unknown = [*beyond(before, after, family), *unknown]
        region = analysis.region()
        # What no packet can meet hangs on nothing that is not known.
        doubts = tuple(unknown) if region.satisfiable() else tuple(analysis.changed.doubts)
        wishes = analysis.wishes(hints)
        every = analysis.space.union([entry for _, entry in analysis.entries()])
        partition = Partition(analysis.space, analysis.names, parts, near, every) if parts else None
        lost = analysis.space.none
        for order, entry in analysis.entries():
            where = entry & region
            if where.satisfiable():
                ends = analysis.ends(order, where, whole=False, together=True, resolved=False)
                still_open = OpenEnds(order, analysis.changed.stages)
                classes, gone = classes_of(
                    analysis.space, ends, analysis.names, wishes, still_open, partition,
                    partial(analysis.apart, order, still_open),
                )  # fmt: skip
                found += classes
                lost = lost | gone
        losses = partition.losses(lost, analysis.passed) if partition is not None else ()
    except (BudgetExceededError, OutOfNodes) as error:
        unknown.append(f"the analysis exceeded its budget: {error}")
        unfinished, doubts = (family,), tuple(unknown)
    return Comparison(
        classes=tuple(found), losses=losses, unknown=tuple(unknown), doubts={family: doubts} if doubts else {},
        unfinished=unfinished, dead=() if analysis is None else analysis.dead(),
    )  # fmt: skip

"""In which sets of two compared states a packet lies: what is said of all packets at once, told for one."""

from dataclasses import dataclass
from functools import cached_property

from planner.dataplane.packet import number, show
from planner.dataplane.packets.layout import STATES, WITH_PORTS, Part
from planner.dataplane.packets.space import PacketSet
from planner.dataplane.symbolic.classes import OpenEnds, differing, settled
from planner.dataplane.symbolic.compare import Analysis
from planner.dataplane.symbolic.form import End
from planner.models.flow import Disposition, Flow, Trace
from planner.models.node import NodeState

GOES_ON = frozenset({Disposition.SENT, Disposition.DELIVERED, Disposition.BRIDGED})


@dataclass(frozen=True, slots=True)
class Place:
    """What the sets say of one packet."""

    before: tuple[Trace, ...]
    """All that may become of it."""
    after: tuple[Trace, ...]
    differs: bool
    """It is in a class of packets that are treated differently, for some answer of what is not known."""
    certain: bool
    """It is, for every answer, and whatever is drawn."""


class Sets:
    """The comparison of two states of a node, for packets of one family."""

    def __init__(self, before: NodeState, after: NodeState, family: str) -> None:
        self.analysis = Analysis(before, after, family=family)
        self.space = self.analysis.space
        self.entries = self.analysis.entries()

    @cached_property
    def region(self) -> PacketSet:
        return self.analysis.region()

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why more than the sets hold may be different."""
        return tuple(self.analysis.changed.doubts)

    def place(self, flow: Flow) -> Place | None:
        """Where a packet lies; None for one that the comparison is not about."""
        one = cube(self.analysis, flow)
        if one is None:
            return None
        for order, entry in self.entries:
            if not (one & entry).satisfiable():
                continue
            # All packets for what becomes of them, the region for what is different: as `compare` looks at them.
            ends = self.analysis.ends(order, one & entry)
            still_open = OpenEnds(order, self.analysis.changed.stages)
            apart = self.space.union(
                [
                    where if a == b and still_open(a) else differing(self.space, a, b, where)
                    for (a, b), where in ends.items()
                ]
            )
            within = apart & self.region
            pairs = [pair for pair, where in ends.items() if where.satisfiable()]
            asked = self.space.oracles_of(within)
            return Place(
                before=tuple(traced(flow, end) for end in dict.fromkeys(a for a, _ in pairs)),
                after=tuple(traced(flow, end) for end in dict.fromkeys(b for _, b in pairs)),
                differs=within.satisfiable(),
                certain=self.space.certain(within | ~one, asked) == self.space.all,
            )
        return None


def cube(analysis: Analysis, flow: Flow) -> PacketSet | None:
    """The set of one packet; None for one with something that the sets do not tell apart."""
    space, entry, names = analysis.space, flow.entry, analysis.names
    if flow.mark or entry.link not in names:
        return None
    ports = {part: space.names[part] for part in (Part.IN_PORT, Part.OUT_PORT)}
    if entry.bridge_port not in ports[Part.IN_PORT] or entry.out_port not in ports[Part.OUT_PORT]:
        return None
    values = {
        Part.PROTOCOL: flow.protocol,
        Part.SOURCE: number(flow.source),
        Part.DESTINATION: number(flow.destination),
        Part.SOURCE_PORT: flow.source_port,
        Part.DESTINATION_PORT: flow.destination_port,
        Part.ICMP_TYPE: flow.icmp_type,
        Part.ICMP_CODE: flow.icmp_code,
        Part.TCP_FLAGS: flow.tcp_flags,
        Part.TOS: flow.tos,
        Part.HOP_LIMIT: flow.hop_limit,
        Part.LENGTH: flow.length,
        Part.STATE: STATES.index(flow.state),
        Part.IN_LINK: names.index(entry.link),
        Part.IN_PORT: ports[Part.IN_PORT].index(entry.bridge_port),
        Part.OUT_PORT: ports[Part.OUT_PORT].index(entry.out_port),
        Part.USER: entry.user or 0,
        Part.SOURCE_MAC: int(flow.source_mac.replace(":", "") or "0", 16),
    }
    found = space.all
    for part, value in values.items():
        found = found & space.equals(part, value)
    return found


def traced(flow: Flow, end: End) -> Trace:
    """An end as this packet shows it, in the words of a trace."""
    end = settled(end, {Part.DESTINATION: number(flow.destination), Part.SOURCE: number(flow.source)})
    destination = (
        flow.destination if not isinstance(end.destination, int) else show(end.destination, flow.family)
    )
    ported = flow.protocol in WITH_PORTS
    after = None
    if end.disposition in GOES_ON:
        after = flow.model_copy(
            update={
                "source": flow.source
                if not isinstance(end.source, tuple)
                else show(end.source[0], flow.family),
                "destination": destination,
                "source_port": (flow.source_port if end.source_ports is None else 0) if ported else 0,
                "destination_port": (
                    flow.destination_port if end.destination_port is None else end.destination_port
                )
                if ported
                else 0,
                "tos": flow.tos if end.tos is None else end.tos[flow.tos],
                "hop_limit": flow.hop_limit if end.hop_limit is None else end.hop_limit[flow.hop_limit],
            }
        )
    return Trace(
        flow=flow,
        disposition=end.disposition,
        reason=end.reason or end.doubt,
        link=flow.entry.out_port if end.by_port else end.link,
        next_hop=(end.hop or destination) if end.link else "",
        reject_kind=end.reject_kind,
        after=after,
    )

"""A path walked in one state: its opening packet, and the answer, by every way that is possible."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from planner.dataplane.bridge import port_of
from planner.dataplane.conntrack import reply
from planner.dataplane.trace import trace
from planner.dataplane.view import View, view_of
from planner.invariants.carried import carried_in, carried_out, gone_of, is_tunnel, lost_of
from planner.invariants.catalogue import invariant_of
from planner.models.flow import Disposition, Entry, Flow, Trace
from planner.models.invariant import Holding, Path, Walked
from planner.models.node import NodeState

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class One:
    """One way."""

    holding: Holding
    traces: tuple[Trace, ...]
    reason: str = ""
    answering: bool = False


def walk(state: NodeState, path: Path) -> Walked:
    """Whether the packet arrives and is answered: only if it is so whatever is drawn."""
    view = view_of(state)
    gone = gone_of(view, path.flow.entry)
    if gone:
        return Walked(holding=Holding.BROKEN, reason=gone)
    came = carried_in(view, path.flow)
    if came is not None and came.holding is Holding.BROKEN:
        return Walked(holding=came.holding, reason=came.reason, traces=(came.trace,))
    ways = [way for one in trace(state, path.flow) for way in _followed(view, path, one)]
    if came is not None and all(way.holding is Holding.HOLDS for way in ways):
        return Walked(holding=came.holding, reason=came.reason, traces=(came.trace,))
    for holding in (Holding.BROKEN, Holding.UNKNOWN):
        found = next((way for way in ways if way.holding is holding), None)
        if found is not None:
            return Walked(
                holding=holding,
                reason=found.reason,
                answering=found.answering,
                partly=any(way.holding is Holding.HOLDS for way in ways),
                traces=found.traces,
            )
    return Walked(holding=Holding.HOLDS, traces=ways[0].traces)


def _followed(view: View, path: Path, opened: Trace) -> Iterator[One]:
    """The ways that begin with this trace of the opening packet."""
    if opened.disposition is Disposition.UNKNOWN:
        ways = [way for one in opened.alternatives for way in _followed(view, path, one)]
        yield _whichever(ways) or One(Holding.UNKNOWN, (opened,), opened.reason)
        return
    reason = lost_of(opened) or _astray(path, opened)
    if reason:
        yield One(Holding.BROKEN, (opened,), reason)
        return
    carrier = carried_out(view, opened)
    if carrier is not None:
        yield One(carrier.holding, (opened, carrier.trace), carrier.reason)
        return
    answer = answer_to(view, path.flow, opened) if path.answered else None
    if answer is None:
        yield One(Holding.HOLDS, (opened,))
        return
    gone = gone_of(view, answer.entry)
    if gone:
        yield One(Holding.BROKEN, (opened,), gone, answering=True)
        return
    carrier = carried_in(view, answer)
    if carrier is not None:
        yield One(carrier.holding, (opened, carrier.trace), carrier.reason, answering=True)
        return
    for back in trace(view.state, answer):
        yield _came_back(view, path, opened, back)


def _whichever(ways: list[One]) -> One | None:
    """What is the same whatever the answer to what is not known; None when it is not."""
    if ways and len({way.holding for way in ways}) == 1 and ways[0].holding is not Holding.UNKNOWN:
        return ways[0]
    return None


def _astray(path: Path, found: Trace) -> str:
    """It arrives, and at the wrong place."""
    after = found.after
    if after is None:
        return ""
    invariant = invariant_of(path.invariant)
    if invariant is not None and invariant.translated and after.destination == found.flow.destination:
        same = after.destination_port == found.flow.destination_port
        if same and (found.disposition is not Disposition.DELIVERED or found.listens in {"", "nobody"}):
            return f"nothing translates port {after.destination_port} of {after.destination}"
    moved = (after.destination, after.destination_port) != (
        found.flow.destination,
        found.flow.destination_port,
    )
    if moved and found.disposition is Disposition.DELIVERED and found.listens == "nobody":
        return f"it is sent on to port {after.destination_port} of the node, where nobody listens"
    place = LOCAL if found.disposition is Disposition.DELIVERED else found.link
    if path.ends_at and found.disposition is not Disposition.BRIDGED and place not in path.ends_at:
        if place == LOCAL:
            return "it ends on the node itself"
        wanted = " or ".join(path.ends_at)
        instead = "instead of reaching the node itself" if wanted == LOCAL else f"instead of {wanted}"
        return f"it leaves by {place} to {found.next_hop} {instead}"
    if found.disposition is not Disposition.DELIVERED and after.source == after.destination:
        return f"{after.source} gets it from itself: nothing hides the sender"
    return ""


def _came_back(view: View, path: Path, opened: Trace, back: Trace) -> One:
    traces = (opened, back)
    if back.disposition is Disposition.UNKNOWN:
        ways = [_came_back(view, path, opened, other) for other in back.alternatives]
        return _whichever(ways) or One(Holding.UNKNOWN, traces, back.reason, answering=True)
    reason = lost_of(back) or _back_astray(view, path, back)
    if reason:
        return One(Holding.BROKEN, traces, reason, answering=True)
    carrier = carried_out(view, back)
    if carrier is not None:
        return One(carrier.holding, (*traces, carrier.trace), carrier.reason, answering=True)
    return One(Holding.HOLDS, traces)


def _back_astray(view: View, path: Path, back: Trace) -> str:
    after, flow = back.after, path.flow
    if after is None:
        return ""
    if after.destination != flow.source:
        return f"the answer goes to {after.destination} instead of {flow.source}"
    if (after.source, after.source_port) != (flow.destination, flow.destination_port):
        return f"the answer comes from {after.source}, which {flow.source} has not asked"
    entry = flow.entry.link
    if not entry:
        return "" if back.disposition is Disposition.DELIVERED else f"the answer leaves by {back.link}"
    if back.disposition is Disposition.DELIVERED:
        return "the answer ends on the node itself"
    if back.disposition is Disposition.BRIDGED or back.link == entry:
        return ""
    defaults = {hop.link for route in view.state.routes if route.is_default for hop in route.nexthops}
    if {back.link, entry} <= defaults:
        return ""
    past = ", where nothing says that the other end takes it" if is_tunnel(view, entry) else ""
    return f"the answer leaves by {back.link} instead of {entry}{past}"


def answer_to(view: View, flow: Flow, opened: Trace) -> Flow | None:
    """The first packet of the answer, with where it enters: pods of one bridge answer each other past the node."""
    answer = reply(opened)
    if answer is None or opened.disposition is Disposition.DELIVERED:
        return answer
    bridge = flow.entry.link if opened.disposition is Disposition.BRIDGED else opened.link
    link = view.links.get(bridge)
    if link is None or link.kind != "bridge":
        return answer
    asked = flow.entry.bridge_port if flow.entry.link == bridge else ""
    port = opened.port or _some_port(view, bridge, asked)
    if not port:
        return answer
    # Who sent a frame past the node has the other in the prefix of his own address, and is in that of the other.
    past_node = opened.disposition is Disposition.BRIDGED and answer.destination == flow.source
    if past_node or _across(view, bridge, answer.destination):
        back = asked if answer.destination == flow.source else port_of(view, bridge, answer.destination)
        entry = Entry(link=bridge, bridge_port=port, to_router=False, out_port=back)
    else:
        entry = Entry(link=bridge, bridge_port=port)
    return answer.model_copy(update={"entry": entry})


def _across(view: View, bridge: str, address: str) -> bool:
    """Whether who is on the bridge sends there directly: one of its prefix, and not the node."""
    wanted = ip_address(address)
    found = False
    for own in view.links[bridge].addresses:
        if own.address == address:
            return False
        net = ip_network(own.prefix, strict=False)
        found = found or (net.version == wanted.version and wanted in net)
    return found and not any(own.address == address for link in view.links.values() for own in link.addresses)


def _some_port(view: View, bridge: str, other: str) -> str:
    """A port of the bridge, another one than that where there are several: behind which one an address is, is not known."""
    ports = [link.name for link in view.state.links if link.master == bridge and link.up]
    return next((name for name in ports if name != other), "")

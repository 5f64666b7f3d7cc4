"""The way of one packet through a node, from where it enters to where it ends."""

from dataclasses import replace

from planner.dataplane import bridge
from planner.dataplane.choices import Choices
from planner.dataplane.hooks import STATIONS, Hook, Reroute
from planner.dataplane.local import listener
from planner.dataplane.packet import Packet, flow_of, packet_of, with_tracking
from planner.dataplane.query import LOOPBACK, Found
from planner.dataplane.routing import may_forward6, may_leave6, route_in, route_in6, route_out, told
from planner.dataplane.surroundings import refused_at_once, served, surroundings, too_big
from planner.dataplane.tables import native_rest, run_hook, run_station
from planner.dataplane.view import View
from planner.dataplane.walk import End, Walk
from planner.models.flow import Disposition, Flow, Trace
from planner.models.route import NextHop

POSTROUTING_IIF = (5, 7)
"""The first release that shows the link of entry to POSTROUTING (net/ipv4/ip_output.c, ip_output)."""


def run(view: View, flow: Flow, choices: Choices) -> Trace:
    """One run, with the answers of `choices`."""
    walk = Walk(view, choices, packet_of(flow))
    end = surroundings(walk, flow)
    if end is None:
        if walk.packet.local:
            end = _send(walk, flow)
        elif flow.entry.bridge_port:
            end = _enter_bridge(walk, flow)
        else:
            end = _arrive(walk, flow)
    return Trace(
        flow=flow,
        disposition=end.disposition,
        reason=end.reason,
        link=end.link,
        next_hop=end.next_hop,
        after=flow_of(walk.packet, flow)
        if end.disposition in {Disposition.SENT, Disposition.DELIVERED, Disposition.BRIDGED}
        else None,
        reject_kind=end.reject_kind,
        port=end.port,
        listens=end.listens,
        hops=tuple(walk.hops),
    )


def _arrive(walk: Walk, flow: Flow) -> End:
    """From a link up into the network layer."""
    end = refused_at_once(walk)
    if end is not None:
        return end
    end = run_hook(walk, Hook.PREROUTING, flow)
    return end if end is not None else _route(walk, flow)


def _route(walk: Walk, flow: Flow) -> End:
    routed = route_in(walk)
    if isinstance(routed, End):
        return routed
    found, leg = routed
    if found.type != "unicast":
        return _deliver(walk, flow)
    return _forward(walk, flow, found, leg)


def _deliver(walk: Walk, flow: Flow) -> End:
    """To the node itself."""
    end = run_hook(walk, Hook.INPUT, flow)
    if end is not None:
        return end
    return served(walk) or End(Disposition.DELIVERED, listens=listener(walk.view, walk.packet))


def _forward(walk: Walk, flow: Flow, found: Found, leg: NextHop) -> End:
    """net/ipv4/ip_forward.c, ip_forward: hop limit and size come before the hook."""
    packet = walk.packet
    if packet.hop_limit <= 1:
        return End(Disposition.EXPIRED, "the hop limit ends here", told(packet, "time-exceeded"))
    end = may_leave6(walk, leg.link) or too_big(walk, found, leg)
    if end is not None:
        return end
    walk.change(hop_limit=packet.hop_limit - 1, out_link=leg.link)
    end = run_hook(walk, Hook.FORWARD, flow)
    return end if end is not None else _leave(walk, flow, leg)


def _next_hop(walk: Walk, leg: NextHop) -> str:
    return leg.via or walk.packet.address(walk.packet.destination)


def _leave(walk: Walk, flow: Flow, leg: NextHop) -> End:
    """POSTROUTING, and out."""
    next_hop = _next_hop(walk, leg)
    came_by = walk.packet.in_link
    if walk.view.kernel < POSTROUTING_IIF:
        walk.change(in_link="")
    end = run_hook(walk, Hook.POSTROUTING, flow, next_hop)
    walk.change(in_link=came_by)
    if end is not None:
        return end
    return _sent(walk, leg, next_hop)


def _sent(walk: Walk, leg: NextHop, next_hop: str) -> End:
    view = walk.view
    if leg.encap:
        end = walk.doubt(f"the route wraps packets ({leg.encap}), which is not modelled")
        if end is not None:
            return end
    link = view.links.get(leg.link)
    silent = (
        f"{leg.link} has no carrier: the packet is lost there"
        if link is not None and not link.carrier
        else ""
    )
    port = bridge.port_of(view, leg.link, next_hop) if bridge.is_bridge(view, leg.link) else ""
    return End(Disposition.SENT, silent, link=leg.link, next_hop=next_hop, port=port)


def _send(walk: Walk, flow: Flow) -> End:
    """From a program of the node: routed first, and again when a rule changes what the route hangs on."""
    routed = route_out(walk)
    if isinstance(routed, End):
        return routed
    found, leg = routed
    walk.change(out_link=leg.link)
    for station in STATIONS[Hook.OUTPUT]:
        before = walk.packet
        end = run_station(walk, station, flow)
        if end is not None:
            return end
        if station.reroute is Reroute.HEADER:
            before = walk.moved or walk.packet
        if _changed(before, walk.packet, station.reroute):
            again = route_out(walk, again=True)
            if isinstance(again, End):
                return again
            # Rules of this hook go on seeing the first link: it is noted once, at the beginning (nf_hook_slow; measured).
            found, leg = again
    end = native_rest(walk)
    if end is not None:
        return end
    walk.change(out_link=leg.link)
    if found.type in {"local", "anycast"} or (found.type, leg.link) == ("broadcast", LOOPBACK):
        # A broadcast of 127.0.0.0/8 comes back as well: its route says ip_local_deliver (net/ipv4/route.c, __mkroute_output).
        return _loop_back(walk, flow)
    # Too long for the link, a packet of the node's own is cut, or its program has found a smaller size before.
    return _leave(walk, flow, leg)


def _changed(before: Packet, after: Packet, when: Reroute) -> bool:
    match when:
        case Reroute.NEVER:
            return False
        case Reroute.DESTINATION:
            return before.destination != after.destination
        case Reroute.HEADER:
            return (before.source, before.destination, before.mark, before.tos) != (
                after.source, after.destination, after.mark, after.tos,
            )  # fmt: skip


def _loop_back(walk: Walk, flow: Flow) -> End:
    """To the node itself over lo: both ends of the way, without a second routing."""
    # The route stays with the packet, so that neither the source check nor the martian checks are made (net/ipv4/ip_input.c).
    end = run_hook(walk, Hook.POSTROUTING, flow, walk.packet.address(walk.packet.destination))
    if end is not None:
        return end
    walk.change(in_link="lo", out_link="")
    walk.packet = with_tracking(walk.packet, confirmed=True)
    end = run_hook(walk, Hook.PREROUTING, flow)
    return end if end is not None else _deliver(walk, flow)


def _enter_bridge(walk: Walk, flow: Flow) -> End:
    """By a port of a bridge: up to the node, or across to another port."""
    view, entry = walk.view, flow.entry
    name = entry.link
    if not bridge.shows_frames(walk, name):
        if entry.to_router:
            return _arrive(walk, flow)
        walk.change(in_port=entry.bridge_port)
        return bridge.leave(
            walk,
            name,
            entry.out_port or bridge.port_of(view, name, walk.packet.address(walk.packet.destination)),
        )
    for base in view.native.aside(
        frozenset({"bridge"}), frozenset({"prerouting", "input", "forward", "postrouting"})
    ):
        if end := walk.doubt(f"{base} is on a bridge, and not modelled"):
            return end
    walk.change(in_port=entry.bridge_port)
    before = walk.packet.destination
    end = run_hook(walk, Hook.PREROUTING, flow)
    if end is not None:
        return end
    if walk.packet.destination != before:
        return _translated_on_bridge(walk, flow, name)
    if entry.to_router:
        # Once is enough: PREROUTING is not asked again (ip_sabotage_in). The port stays visible to the end (measured).
        end = refused_at_once(walk)
        return end if end is not None else _route(walk, flow)
    port = entry.out_port or bridge.port_of(view, name, walk.packet.address(walk.packet.destination))
    return _cross(walk, flow, name, port)


def _translated_on_bridge(walk: Walk, flow: Flow, name: str) -> End:
    """br_nf_pre_routing_finish: the new destination is looked up; on the same bridge the frame just goes to its port."""
    six = walk.packet.family == "ip6"
    routed = route_in6(walk) if six else route_in(walk)
    if isinstance(routed, End):
        # br_nf_pre_routing_finish_ipv6 frees what finds no route, without a word.
        return replace(routed, reject_kind="") if six else routed
    found, leg = routed
    if found.type == "unicast" and leg.link == name:
        port = bridge.port_of(walk.view, name, leg.via or walk.packet.address(walk.packet.destination))
        return _cross(walk, flow, name, port)
    if found.type != "unicast":
        return _deliver(walk, flow)
    end = may_forward6(walk) if six else None
    return end if end is not None else _forward(walk, flow, found, leg)


def _cross(walk: Walk, flow: Flow, name: str, port: str) -> End:
    """Through FORWARD and POSTROUTING as a frame: no routing, no hop limit."""
    walk.packet = bridge.on_bridge(walk.packet, name, port)
    end = run_hook(walk, Hook.FORWARD, flow)
    if end is None:
        # br_nf_post_routing shows no link of entry; the port stays visible (measured).
        walk.change(in_link="")
        end = run_hook(walk, Hook.POSTROUTING, flow, walk.packet.address(walk.packet.destination))
    return end if end is not None else bridge.leave(walk, name, port)

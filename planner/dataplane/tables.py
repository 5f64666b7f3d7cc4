"""The base chains of one hook in the order of their priorities, with conntrack among them: both backends of iptables, and nft."""

from planner.dataplane import conntrack, gaps, nat
from planner.dataplane.chain import run_table
from planner.dataplane.hooks import CONNTRACK, STATIONS, TRANSLATES_SOURCE, Hook, Station
from planner.dataplane.order import NATIVE, Group, Player
from planner.dataplane.packet import Packet
from planner.dataplane.rules import RuleTable
from planner.dataplane.view import BACKENDS
from planner.dataplane.walk import End, Walk
from planner.models.flow import Flow


def run_hook(walk: Walk, hook: Hook, flow: Flow, next_hop: str = "") -> End | None:
    """The packet through one hook; None when it goes on. Stations after which it may be routed again come from `run_station`."""
    for station in STATIONS[hook]:
        end = run_station(walk, station, flow, next_hop)
        if end is not None:
            return end
    return native_rest(walk)


def run_station(walk: Walk, station: Station, flow: Flow, next_hop: str = "") -> End | None:
    """The packet through the base chains of one turn, or conntrack. `walk.moved` then tells what a second routing looks at."""
    walk.stage = str(station)
    walk.moved = None
    if station.table == CONNTRACK:
        conntrack.look(walk, flow.state)
        return None
    end = _unknown_rules(walk, station)
    if end is not None:
        return end
    binding = station.table == "nat"
    for group in walk.view.groups(walk.packet.family, station.hook, station.table):
        if binding and group[0].after:
            _nothing_bound(walk, station)
            binding = False
        end = _group(walk, station, next_hop, group)
        if end is not None:
            return end
    if binding:
        _nothing_bound(walk, station)
    return None


def _unknown_rules(walk: Walk, station: Station) -> End | None:
    family = walk.packet.family
    for backend in BACKENDS:
        reason = walk.view.missing(gaps.rules(backend, family, station.table))
        if reason:
            end = walk.doubt(reason)
            if end is not None:
                return end
    return None


def _group(walk: Walk, station: Station, next_hop: str, group: Group) -> End | None:
    """Chains of one priority; where their order matters, which of them runs first is an open question."""
    left = list(group)
    if len(left) > 1 and _order_matters(walk, station, next_hop, left):
        # Within one priority the backend loaded later runs first, which no snapshot shows (measured).
        reason = f"{' and '.join(map(str, left))} have one priority, and which of them was loaded first is not known"
        ordered: list[Player] = []
        while left:
            at = next(
                (
                    at
                    for at in range(len(left) - 1)
                    if walk.choices.undecided(("order", str(station), len(left), at), reason)
                ),
                len(left) - 1,
            )
            ordered.append(left.pop(at))
        left = ordered
    for player in left:
        end = _player(walk, station, next_hop, player)
        if end is not None:
            return end
    return None


def _player(walk: Walk, station: Station, next_hop: str, player: Player) -> End | None:
    """The packet through one base chain."""
    if player.translates and not _asked(walk, station):
        return None
    if player.unplaced:
        doubt = walk.view.native.out_of_turn(
            walk.packet.family, station.hook.value, player.table.name, player.chain, _fields(walk.packet)
        )
        return walk.doubt(doubt) if doubt else None
    family = walk.packet.family
    if player.backend == NATIVE:
        table: RuleTable | None = walk.view.native_table(family, player.table)
    else:
        table = walk.view.table(family, player.backend, station.table)
    if table is None:
        return None
    before = walk.packet
    end = run_table(walk, table, station, next_hop, player.chain)
    if player.reroutes and walk.packet != before:
        walk.moved = before
    return end


def _order_matters(walk: Walk, station: Station, next_hop: str, players: list[Player]) -> bool:
    """Whether more than one of them does something to this packet as it is now."""
    before, told = walk.packet, len(walk.hops)
    acts = 0
    for player in players:
        end = _player(walk, station, next_hop, player)
        acts += end is not None or walk.packet != before
        walk.packet = before
        del walk.hops[told:]
    return acts > 1


def _asked(walk: Walk, station: Station) -> bool:
    """Rules are for the first packet of a flow only; every other gets what the flow has (nf_nat_core.c, nf_nat_inet_fn)."""
    tracking = walk.packet.tracking
    return tracking.entry and not _known(walk.packet) and not _is_bound(walk.packet, station.hook)


def _known(packet: Packet) -> bool:
    tracking = packet.tracking
    return tracking.state == "ESTABLISHED" or tracking.binding is not None or packet.is_error


def _nothing_bound(walk: Walk, station: Station) -> None:
    """A flow that no rule translated is bound to what it has; a known one gets what it got before."""
    if not walk.packet.tracking.entry:
        return
    if _known(walk.packet):
        nat.follow(walk, station.hook)
    elif not _is_bound(walk.packet, station.hook):
        nat.bind_nothing(walk, station.hook)


def _is_bound(packet: Packet, hook: Hook) -> bool:
    tracking = packet.tracking
    return tracking.bound_source if hook in TRANSLATES_SOURCE else tracking.bound_destination


def native_rest(walk: Walk) -> End | None:
    """A rule set of nft that could not be read may do anything."""
    reason = walk.view.missing(gaps.NATIVE)
    if not reason and walk.view.native.unread:
        reason = "the rule set of nft is there only as text"
    return walk.doubt(reason) if reason else None


def _fields(packet: Packet) -> dict[str, object]:
    """What of a packet is compared with matches of nft, in its words."""
    names = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}
    name = names.get(packet.protocol, packet.protocol)
    fields: dict[str, object] = {
        "iifname": packet.in_link,
        "oifname": packet.out_link,
        "l4proto": name,
        "nfproto": "ipv4" if packet.family == "ip" else "ipv6",
        "ip protocol": name,
    }
    if isinstance(name, str) and packet.protocol in {6, 17, 132}:
        fields[f"{name} dport"] = packet.destination_port
        fields[f"{name} sport"] = packet.source_port
    return fields

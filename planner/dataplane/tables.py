"""The base chains of one hook in the order of their priorities, with conntrack among them and both backends at once."""

from planner.dataplane import conntrack, gaps, nat
from planner.dataplane.chain import run_table
from planner.dataplane.hooks import CONNTRACK, STATIONS, TRANSLATES_SOURCE, Hook, Station
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
    return native_rest(walk, hook)


def run_station(walk: Walk, station: Station, flow: Flow, next_hop: str = "") -> End | None:
    """The packet through one base chain of every backend, or conntrack."""
    walk.stage = str(station)
    if station.table == CONNTRACK:
        conntrack.look(walk, flow.state)
        return None
    end = _unknown_rules(walk, station)
    if end is not None:
        return end
    if station.table == "nat":
        return _nat(walk, station, next_hop)
    return _filter(walk, station, next_hop, _present(walk, station))


def _unknown_rules(walk: Walk, station: Station) -> End | None:
    family = walk.packet.family
    for backend in BACKENDS:
        reason = walk.view.missing(gaps.rules(backend, family, station.table))
        if reason:
            end = walk.doubt(reason)
            if end is not None:
                return end
    return None


def _present(walk: Walk, station: Station) -> list[RuleTable]:
    """Tables whose base chain does something."""
    found = (walk.view.table(walk.packet.family, backend, station.table) for backend in BACKENDS)
    return [table for table in found if table is not None and not _idle(walk, table, station)]


def _idle(walk: Walk, table: RuleTable, station: Station) -> bool:
    hole = gaps.rules(table.backend, table.family, table.name, station.hook)
    return table.is_idle(station.hook) and not walk.view.missing(hole)


def _filter(walk: Walk, station: Station, next_hop: str, tables: list[RuleTable]) -> End | None:
    if len(tables) > 1 and _order_matters(walk, station, next_hop, tables):
        # Within one priority the backend loaded later runs first, which no snapshot shows (measured).
        reason = f"both backends have rules in {station}, and which of them was loaded first is not known"
        if not walk.choices.undecided(("order", station.table), reason):
            tables.reverse()
    for table in tables:
        end = run_table(walk, table, station, next_hop)
        if end is not None:
            return end
    return None


def _order_matters(walk: Walk, station: Station, next_hop: str, tables: list[RuleTable]) -> bool:
    """Whether more than one of them does something to this packet as it is now."""
    before, told = walk.packet, len(walk.hops)
    acts = 0
    for table in tables:
        end = run_table(walk, table, station, next_hop)
        acts += end is not None or walk.packet != before
        walk.packet = before
        del walk.hops[told:]
    return acts > 1


def _nat(walk: Walk, station: Station, next_hop: str) -> End | None:
    """Rules for the first packet of a flow only; every other gets what the flow has (nf_nat_core.c, nf_nat_inet_fn)."""
    tracking = walk.packet.tracking
    if not tracking.entry:
        return None
    known = tracking.state == "ESTABLISHED" or tracking.binding is not None or walk.packet.is_error
    if known:
        nat.follow(walk, station.hook)
        return None
    if _is_bound(walk.packet, station.hook):
        return None
    tables = _present(walk, station)
    if len(tables) > 1 and _order_matters(walk, station, next_hop, tables):
        reason = f"both backends have rules in {station}, and which of them was loaded first is not known"
        if not walk.choices.undecided(("order", station.table), reason):
            tables.reverse()
    for table in tables:
        end = run_table(walk, table, station, next_hop)
        if end is not None or _is_bound(walk.packet, station.hook):
            return end
    nat.bind_nothing(walk, station.hook)
    return None


def _is_bound(packet: Packet, hook: Hook) -> bool:
    tracking = packet.tracking
    return tracking.bound_source if hook in TRANSLATES_SOURCE else tracking.bound_destination


def native_rest(walk: Walk, hook: Hook) -> End | None:
    """Chains of nft on the same hook: not modelled, so unknown unless they surely let the packet pass untouched."""
    view, packet = walk.view, walk.packet
    reason = view.missing(gaps.NATIVE)
    if not reason and view.native.unread:
        reason = "the rule set of nft is there only as text"
    if reason:
        return walk.doubt(reason)
    for base in view.native.on(packet.family, hook.value):
        if not view.native.is_idle(base, _fields(packet)):
            end = walk.doubt(f"{base} on {hook.lower()} has rules, which are not modelled")
            if end is not None:
                return end
    return None


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

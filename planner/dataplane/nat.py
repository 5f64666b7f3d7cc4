"""Translations: which address and port a rule gives to a flow, and what of it the packet shows at which hook."""

from dataclasses import replace
from typing import assert_never

from planner.dataplane.hash import scaled_hash, scaled_source
from planner.dataplane.hooks import TRANSLATES_SOURCE, Hook
from planner.dataplane.packet import WITH_PORTS, Packet, number, show, with_tracking
from planner.dataplane.source import select_address4, select_address6
from planner.dataplane.walk import Walk
from planner.netfilter.condition import Interval
from planner.netfilter.effect import Dnat, Masquerade, NatRange, Netmap, Redirect, Snat

Translation = Dnat | Snat | Masquerade | Redirect | Netmap
LOOPBACK6 = 1


def translate(walk: Walk, effect: Translation, hook: Hook, next_hop: str) -> str:
    """Bind the flow as a rule says, and tell how in words. An empty text: the packet is lost."""
    match effect:
        case Dnat(to=to):
            return _destination(walk, to.addresses, to)
        case Redirect(to=to):
            own = _own_address(walk, hook)
            return _destination(walk, (own, own), to) if own is not None else ""
        case Snat(to=to):
            return _source(walk, to.addresses, to)
        case Masquerade(to=to):
            chosen = _masquerade_address(walk, next_hop)
            return _source(walk, (chosen, chosen), to) if chosen is not None else ""
        case Netmap(value=value, mask=mask):
            packet = walk.packet
            old = packet.source if hook in TRANSLATES_SOURCE else packet.destination
            new = (old & ~mask) | value
            single = (new, new)
            if hook in TRANSLATES_SOURCE:
                return _source(walk, single, NatRange())
            return _destination(walk, single, NatRange())
        case _:
            assert_never(effect)


def _own_address(walk: Walk, hook: Hook) -> int | None:
    """Where REDIRECT sends: 127.0.0.1 for a packet of the node, else the first address of the link it came by."""
    # nf_nat_redirect.c, nf_nat_redirect_ipv4: ifa_list's first, secondary ones and other scopes left aside.
    packet = walk.packet
    if hook is Hook.OUTPUT:
        return 0x7F000001 if packet.family == "ip" else LOOPBACK6
    link = walk.view.links.get(packet.in_link)
    for address in link.addresses if link else ():
        usable = packet.family == "ip" or address.scope != "link" or packet.destination >> 118 == 0x3FA
        if address.family == packet.family and not address.secondary and usable:
            return number(address.address)
    return None


def _masquerade_address(walk: Walk, next_hop: str) -> int | None:
    packet = walk.packet
    if packet.family == "ip":
        near = number(next_hop) if next_hop and ":" not in next_hop else packet.destination
        return select_address4(walk.view, packet.out_link, near)
    return select_address6(walk.view, packet.out_link, packet.destination)


def _pick(packet: Packet, addresses: Interval | None, to: NatRange, *, source: bool) -> int:
    """One of several addresses: by a hash without a seed, so that a pair of hosts always gets the same."""
    # nf_nat_core.c, find_best_ips_proto.
    if addresses is None:
        return packet.source if source else packet.destination
    if addresses[0] == addresses[1]:
        return addresses[0]
    pick = scaled_source if source else scaled_hash
    return pick(packet.source, packet.destination, addresses, packet.family, persistent=to.persistent)


def _port(port: int | None, to: NatRange, *, source: bool, protocol: int) -> int | None:
    """Kept where it fits; None when it is drawn."""
    if protocol not in WITH_PORTS or port is None:
        return port
    if to.ports is None:
        return None if to.random and source else port
    low, high = to.ports
    if low == high:
        return low
    if to.base_port is not None:
        # NF_NAT_RANGE_PROTO_OFFSET (nf_nat_core.c, nf_nat_l4proto_unique_tuple): the distance is a number of sixteen bits.
        return low + (port - to.base_port & 0xFFFF) % (high - low + 1)
    if to.random:
        return None
    if low <= port <= high:
        return port
    return None if source else low


def _destination(walk: Walk, addresses: Interval | None, to: NatRange) -> str:
    packet = walk.packet
    address = _pick(packet, addresses, to, source=False)
    port = _port(packet.destination_port, to, source=False, protocol=packet.protocol)
    # What the flow has already is no translation: its status stays without DNAT (nf_nat_core.c, nf_nat_setup_info).
    changed = address != packet.destination or port != packet.destination_port
    packet = replace(packet, destination=address, destination_port=port)
    walk.packet = with_tracking(packet, dnat=changed, bound_destination=True)
    return f"destination becomes {_shown(address, port, packet)}" if changed else "destination stays"


def _source(walk: Walk, addresses: Interval | None, to: NatRange) -> str:
    packet = walk.packet
    address = _pick(packet, addresses, to, source=True)
    port = _port(packet.source_port, to, source=True, protocol=packet.protocol)
    changed = address != packet.source or port != packet.source_port
    packet = replace(packet, source=address, source_port=port)
    walk.packet = with_tracking(packet, snat=changed, bound_source=True)
    return f"source becomes {_shown(address, port, packet)}" if changed else "source stays"


def _shown(address: int, port: int | None, packet: Packet) -> str:
    text = show(address, packet.family)
    if packet.protocol not in WITH_PORTS:
        return text
    if packet.family == "ip6":
        text = f"[{text}]"
    return f"{text}:{port}" if port is not None else f"{text}, with a port that the kernel draws"


def bind_nothing(walk: Walk, hook: Hook) -> None:
    """A flow that no rule of the hook translates is bound too, to what it has (nf_nat_core.c, nf_nat_alloc_null_binding)."""
    side = "bound_source" if hook in TRANSLATES_SOURCE else "bound_destination"
    walk.packet = with_tracking(walk.packet, **{side: True})


def follow(walk: Walk, hook: Hook) -> None:
    """A packet of a known flow gets what the flow has."""
    packet = walk.packet
    binding = packet.tracking.binding
    if binding is None:
        return
    if hook in TRANSLATES_SOURCE:
        address, port = number(binding.source), binding.source_port
        changed = (address, port) != (packet.source, packet.source_port)
        walk.change(source=address, source_port=port)
        side = "source"
    else:
        address, port = number(binding.destination), binding.destination_port
        changed = (address, port) != (packet.destination, packet.destination_port)
        walk.change(destination=address, destination_port=port)
        side = "destination"
    if changed:
        walk.tell(f"{side} becomes {_shown(address, port, walk.packet)}, as conntrack holds for the flow")

"""Membership in an ipset as a set of packets, for the kinds of sets that hold addresses, networks and ports."""

from ipaddress import ip_address, ip_network

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.form import Form
from planner.models.ruleset import IpSet
from planner.netfilter.condition import InSet

ADDRESS_KINDS = frozenset({"ip", "net"})
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136, "6": 6, "17": 17, "132": 132, "136": 136}
EXTRAS = frozenset({"timeout", "packets", "bytes", "comment"})
"""What may follow an element without changing what it matches."""


def element_set(space: Space, held: IpSet | None, asked: InSet, form: Form) -> PacketSet | None:
    """Packets whose values are an element; None when the set, or the question, is not modelled."""
    if held is None or asked.options.strip() not in {"", "-m set"}:
        return None
    family = "ip6" if "inet6" in held.options.split() else "ip"
    if (
        family != space.family
        and held.type not in {"bitmap:port", "hash:mac"}
        and not held.type.startswith("list:")
    ):
        # ip_set_core.c, ip_set_test(): sets of the other family never match.
        return space.none
    method, _, text = held.type.partition(":")
    kinds = tuple(text.split(","))
    words = held.options.split()
    if method == "list" or {"netmask", "bitmask", "markmask"}.intersection(words):
        return None
    if not ADDRESS_KINDS.union({"port"}).issuperset(kinds) or (method == "bitmap" and kinds == ("port",)):
        return None
    if len(asked.directions) < len(kinds):
        # ip_set_core.c, ip_set_test(): fewer directions than dimensions never match.
        return space.none
    found: list[PacketSet] = []
    for element in held.elements:
        first, *rest = element.split()
        if "nomatch" in rest or (rest and rest[0] not in EXTRAS):
            return None
        values = first.split(",")
        if len(values) != len(kinds):
            return None
        one = space.all
        for value, kind, side in zip(values, kinds, asked.directions, strict=False):
            part = _part(space, value, kind, form, source=side == "src")
            if part is None:
                return None
            one = one & part
        found.append(one)
    return space.union(found)


def _part(space: Space, value: str, kind: str, form: Form, *, source: bool) -> PacketSet | None:
    """One dimension of an element."""
    try:
        if kind == "port":
            name, colon, numbers = value.rpartition(":")
            protocol = PROTOCOLS.get(name) if colon else 6
            if protocol is None:
                return None
            first, _, last = numbers.partition("-")
            low, high = int(first), int(last or first)
            part = Part.SOURCE_PORT if source else Part.DESTINATION_PORT
            now = form.source_ports if source else _pair(form.destination_port)
            return space.equals(Part.PROTOCOL, protocol) & _within(space, part, now, low, high)
        first, dash, last = value.partition("-")
        if dash:
            low, high = int(ip_address(first)), int(ip_address(last))
        else:
            net = ip_network(value, strict=False)
            low, high = int(net.network_address), int(net.broadcast_address)
    except ValueError:
        return None
    part = Part.SOURCE if source else Part.DESTINATION
    return _within(space, part, form.source if source else _pair(form.destination), low, high)


def _pair(value: int | None) -> tuple[int, int] | None:
    return None if value is None else (value, value)


def _within(space: Space, part: Part, now: tuple[int, int] | None, low: int, high: int) -> PacketSet:
    """The field as it is now. What a range drew is inside only when all of the range is, and callers know the rest."""
    if now is None:
        return space.interval(part, low, high)
    if low <= now[0] and now[1] <= high:
        return space.all
    if now[0] == now[1] or now[1] < low or high < now[0]:
        return space.none
    return space.oracle(("drawn", now, low, high), text=f"which {part} is drawn from a range")

"""What targets do to the packets of a set: marks, octets, translations."""

from collections.abc import Callable
from dataclasses import replace

from planner.dataplane.packet import show
from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.form import Bits, End, Form, Mapped, in_prefix, lost, silent
from planner.dataplane.symbolic.match import Matcher, Place
from planner.dataplane.symbolic.routing import LINK_LOCAL
from planner.dataplane.symbolic.sources import Sources
from planner.dataplane.symbolic.view import View, value_of
from planner.models.flow import Disposition
from planner.models.link import Address
from planner.netfilter.condition import Field
from planner.netfilter.effect import (
    Dnat,
    Effect,
    Masquerade,
    NatRange,
    Netmap,
    Notrack,
    Redirect,
    RestoreMark,
    SaveMark,
    SetBits,
    SetConnectionMark,
    SetMark,
    Shift,
    Snat,
    UpdateSet,
)

FULL = 0xFFFFFFFF
MOST_DRAWN = 256
"""Addresses or ports of a range that are told apart."""
EVERY_PORT = range(65536)
SPREAD = "the hash of addresses, which chooses among "
"""Of NAT to a range (net/netfilter/nf_nat_core.c, find_best_ips_proto()); the first and the last one follow."""
SAME = bytes(range(256))
Steps = list[tuple[PacketSet, Form | End]]
Change = Callable[[Bits], Form]


class Effects:
    """Of one side."""

    def __init__(self, space: Space, view: View, matcher: Matcher) -> None:
        self.space = space
        self.view = view
        self.matcher = matcher
        self._sources = Sources(space, view)

    def change(
        self, effect: Effect, where: PacketSet, form: Form, place: Place
    ) -> list[tuple[PacketSet, Form]]:
        """A target after which the packet goes on to the next rule."""
        match effect:
            case SetMark(value=value, mask=mask):
                held = _set((form.mark, form.mark_unknown), value, mask)
                return [(where, _restored(form, held))]
            case SetConnectionMark(value=value, mask=mask, shift=shift):
                return self._entry(
                    where, form,
                    lambda old: _marked(form, connection_mark=_shift(_set(old, value, mask), shift)),
                )  # fmt: skip
            case SaveMark(packet_mask=packet_mask, connection_mask=mask):
                return self._entry(
                    where, form,
                    lambda old: _marked(
                        form, connection_mark=_mix(old, mask, (form.mark, form.mark_unknown), packet_mask)
                    ),
                )  # fmt: skip
            case RestoreMark(packet_mask=packet_mask, connection_mask=mask):
                return self._entry(
                    where, form,
                    lambda old: _restored(form, _mix((form.mark, form.mark_unknown), packet_mask, old, mask)),
                )  # fmt: skip
            case Notrack():
                # xt_CT.c, notrack_tg(): without effect on a packet that has an entry already.
                looked = form.came or not place.before_tracking
                kept = where & self.matcher.tracked if looked and not form.untracked else self.space.none
                found = [(kept, form), (where & ~kept, form._replace(untracked=True))]
                return [(part, changed) for part, changed in found if part.satisfiable()]
            case SetBits(field=Field.TOS, value=value, mask=mask):
                table = bytes((now & ~mask & 0xFF) ^ value for now in form.tos or SAME)
                return [(where, form._replace(tos=table))]
            case SetBits(field=Field.HOP_LIMIT, value=value, mask=mask):
                table = bytes((now & ~mask & 0xFF) ^ value for now in form.hop_limit or SAME)
                return [(where, form._replace(hop_limit=table))]
            case Shift(field=Field.HOP_LIMIT, by=by):
                # xt_HL.c, ttl_tg(): it stays within 0 and 255.
                table = bytes(min(255, max(0, now + by)) for now in form.hop_limit or SAME)
                return [(where, form._replace(hop_limit=table))]
            case UpdateSet(text=text) if "--map-mark" in text:
                return [(where, form._replace(mark=0, mark_unknown=FULL))]
            case _:
                return [(where, form)]

    def _entry(self, where: PacketSet, form: Form, change: Change) -> list[tuple[PacketSet, Form]]:
        """A target that needs a conntrack entry. New flows begin with mark 0; older ones have what they have."""
        if form.untracked:
            return [(where, form)]
        held = where & self.matcher.tracked
        found = [(where & ~held, form)]
        if form.connection_mark is not None:
            found.append((held, change(form.connection_mark)))
        else:
            new = held & self.matcher.states["NEW"]
            found += [(new, change((0, 0))), (held & ~new, change((0, FULL)))]
        return [(part, changed) for part, changed in found if part.satisfiable()]

    def translate(
        self, effect: Dnat | Snat | Masquerade | Redirect | Netmap, where: PacketSet, form: Form, place: Place,
        text: str,
    ) -> Steps:  # fmt: skip
        """A target of the nat table."""
        source_side = place.hook in {"postrouting", "input"}
        match effect:
            case Dnat(to=to):
                return self._destination(where, form, to, text)
            case Redirect(to=to) if place.hook == "output":
                own = 1 if self.view.six else 127 << 24 | 1
                return self._destination(where, form, replace(to, addresses=(own, own)), text)
            case Redirect(to=to):
                return self._redirect(where, form, to, text)
            case Snat(to=to):
                return self._source(where, form, to)
            case Masquerade(to=to):
                return self._masquerade(where, form, to)
            case Netmap(value=value, mask=mask):
                return self._mapped(where, form, value, mask, source_side=source_side)

    def _destination(self, where: PacketSet, form: Form, to: NatRange, text: str) -> Steps:
        found: Steps = []
        for part, address in self._addresses(where, form, to):
            ports = self._ports(part, form, to)
            if ports is None:
                found.append((part, lost(form, f"{text}: it shifts more than {MOST_DRAWN} ports")))
            elif address is None and to.addresses is not None:
                found.append((part, lost(form, f"{text}: it chooses among more than {MOST_DRAWN} addresses")))
            else:
                for some, port in ports:
                    found += self._moved(some, form, address, port)
        return [(part, step) for part, step in found if part.satisfiable()]

    def _moved(self, where: PacketSet, form: Form, address: int | None, port: int | None) -> Steps:
        # A translation to what stands there already is none: ctstate DNAT stays away (nf_nat_setup_info()).
        same = where
        if address is not None:
            same = same & self.is_now(Part.DESTINATION, form.destination, address)
        if port is not None:
            same = same & self.is_now(Part.DESTINATION_PORT, form.destination_port, port)
        moved = form._replace(
                bound=True, translated=True,
            destination=form.destination if address is None else address,
            destination_port=form.destination_port if port is None else port,
        )  # fmt: skip
        return [(where & ~same, moved), (same, form._replace(bound=True))]

    def _addresses(self, where: PacketSet, form: Form, to: NatRange) -> list[tuple[PacketSet, int | None]]:
        """Packets by the address that they are given; None where there are too many."""
        if to.addresses is None:
            return [(where, None)]
        low, high = to.addresses
        if high - low >= MOST_DRAWN or low >> 32 != high >> 32:
            # Across the words of IPv6 the kernel may even pick an address outside of the range.
            return [(where, None)]
        # find_best_ips_proto(): a hash of source and destination, and so the same for every rule.
        asked = None if to.persistent else form.destination
        found: list[tuple[PacketSet, int | None]] = []
        for address in range(low, high):
            part = where & self.space.oracle(
                ("spread", low, high, address, form.source, asked, to.persistent),
                text=f"{SPREAD}{show(low, self.view.family)}-{show(high, self.view.family)}",
                chance=1 / (high - address + 1),
            )  # fmt: skip
            where = where & ~part
            found.append((part, address))
        return [*found, (where, high)]

    def _ports(self, where: PacketSet, form: Form, to: NatRange) -> list[tuple[PacketSet, int | None]] | None:
        """Packets by the port that they are given, None for the one that they have; None where there are too many."""
        if to.ports is None:
            return [(where, None)]
        low, high = to.ports
        space, now = self.space, form.destination_port
        size = high - low + 1
        if size == 1:
            return [(where, low)]
        if to.base_port is not None:
            # nf_nat_l4proto_unique_tuple(): the distance is a number of sixteen bits.
            if now is not None:
                return [(where, low + (now - to.base_port & 0xFFFF) % size)]
            if size <= MOST_DRAWN:
                return self._shifted(where, low, size, to.base_port)
            asked = space.members(where, Part.DESTINATION_PORT, EVERY_PORT)
            return None if len(asked) > MOST_DRAWN else [
                (where & space.equals(Part.DESTINATION_PORT, one), low + (one - to.base_port & 0xFFFF) % size)
                for one in asked
            ]  # fmt: skip
        if to.random:
            return None if size > MOST_DRAWN else self._drawn_ports(where, form, low, high)
        # A port within the range is kept, another becomes the first (get_unique_tuple()).
        within = space.interval(Part.DESTINATION_PORT, low, high)
        if now is not None:
            within = space.all if low <= now <= high else space.none
        return [(where & ~within, low), (where & within, None)]

    def _shifted(
        self, where: PacketSet, low: int, size: int, base: int
    ) -> list[tuple[PacketSet, int | None]]:
        """By distance from a port, round the range as often as it takes."""
        space, part = self.space, Part.DESTINATION_PORT
        above = where & space.interval(part, base, 0xFFFF)
        under = where & ~above
        found: list[tuple[PacketSet, int | None]] = []
        for rest in range(size):
            those = above & space.residue(part, size, (rest + base) % size)
            if under.satisfiable():
                those = those | (under & space.residue(part, size, (rest + base - 0x10000) % size))
            found.append((those, low + rest))
        return found

    def _drawn_ports(
        self, where: PacketSet, form: Form, low: int, high: int
    ) -> list[tuple[PacketSet, int | None]]:
        found: list[tuple[PacketSet, int | None]] = []
        for port in range(low, high):
            part = where & self.space.oracle(
                ("port", low, high, port, form.looks),
                text=f"a port of {low}-{high} that the kernel draws", chance=1 / (high - port + 1),
            )  # fmt: skip
            where = where & ~part
            found.append((part, port))
        return [*found, (where, high)]

    def kept(self, part: Part, now: int | Mapped) -> PacketSet:
        """Packets whose field was set to what it was."""
        if isinstance(now, Mapped):
            return self.space.bits(part, now.value, now.mask)
        return self.space.equals(part, now)

    def is_now(self, part: Part, now: int | Mapped | None, value: int) -> PacketSet:
        """Packets with a value where a field is `now`."""
        if now is None:
            return self.space.equals(part, value)
        if isinstance(now, Mapped):
            return now.having(self.space, part, value, (1 << self.view.bits) - 1)
        return self.space.all if now == value else self.space.none

    def _mapped(self, where: PacketSet, form: Form, value: int, mask: int, *, source_side: bool) -> Steps:
        """A prefix in the place of another; the rest of the address stays (xt_NETMAP.c)."""
        held = form.source if source_side else form.destination
        part = Part.SOURCE if source_side else Part.DESTINATION
        if isinstance(held, tuple) and held[0] != held[1]:
            return [(where, lost(form, "NETMAP of a source that is drawn"))]
        now = held[0] if isinstance(held, tuple) else held
        new: int | Mapped
        if isinstance(now, int):
            new = (now & ~mask) | value
            same = where if new == now else self.space.none
        else:
            before = now or Mapped(0, 0)
            made = Mapped((before.value & ~mask) | value, before.mask | mask)
            same = where & before.same(self.space, part, made)
            new = made.value if made.mask == (1 << self.view.bits) - 1 else made
        if source_side:
            single = (new, new) if isinstance(new, int) else new
            moved = form._replace(bound_source=True, translated_source=True, source=single)
            return [(where & ~same, moved), (same, form._replace(bound_source=True))]
        moved = form._replace(bound=True, translated=True, destination=new)
        return [(where & ~same, moved), (same, form._replace(bound=True))]

    def _redirect(self, where: PacketSet, form: Form, to: NatRange, text: str) -> Steps:
        """To the first address of the link that it came by (nf_nat_redirect.c, nf_nat_redirect_ipv4())."""
        found: Steps = []
        for name in sorted(self.view.codes):
            part = where & self.view.came_by({name})
            if not part.satisfiable():
                continue
            held = [one for one in self.view.addresses.get(name, ()) if not one.secondary]
            near = part
            if self.view.six:
                near = part & in_prefix(self.space, Part.DESTINATION, form.destination, *LINK_LOCAL)
            wide = [one for one in held if one.scope != "link"]
            # nf_nat_redirect_ipv6(): link-local addresses only for link-local destinations.
            for some, usable in ((near, held), (part & ~near, wide)):
                if usable:
                    value = value_of(usable[0].address)
                    found += self._destination(some, form, replace(to, addresses=(value, value)), text)
                else:
                    found.append((some, silent(Disposition.DROPPED, f"{text}: {name} has no address")))
        return [(part, step) for part, step in found if part.satisfiable()]

    def _masquerade(self, where: PacketSet, form: Form, to: NatRange) -> Steps:
        """inet_select_addr(): the first primary address whose subnet holds the next hop, else the first one."""
        if self.view.six:
            return self._masquerade6(where, form, to)
        primary = self._primary(form.link)
        if not primary:
            # Then any other link's, lo first.
            others = sorted(self.view.links.values(), key=lambda link: (link.name != "lo", link.index))
            primary = [one for link in others for one in self._primary(link.name)][:1]
            if not primary:
                return [(where, silent(Disposition.DROPPED, f"MASQUERADE: {form.link} has no address"))]
            value = value_of(primary[0].address)
            return self._source(where, form, replace(to, addresses=(value, value)))
        found: Steps = []
        rest = where
        for one in primary:
            value = value_of(one.address)
            part = rest & self._towards(form, value_of(one.peer or one.address), one.length)
            rest = rest & ~part
            found += self._source(part, form, replace(to, addresses=(value, value)))
        first = value_of(primary[0].address)
        return found + self._source(rest, form, replace(to, addresses=(first, first)))

    def _masquerade6(self, where: PacketSet, form: Form, to: NatRange) -> Steps:
        """nf_nat_masquerade_ipv6(): the source that the node itself would take towards there."""
        found: Steps = []
        now = form.destination
        chosen = self._sources.towards(form.link, now if isinstance(now, int) else None)
        if isinstance(now, Mapped):
            chosen = [(now.looking(self.space, Part.DESTINATION, part), value) for part, value in chosen]
        for part, value in chosen:
            if value is None:
                end = silent(Disposition.DROPPED, f"MASQUERADE: {form.link} has no address")
                found.append((where & part, end))
            else:
                found += self._source(where & part, form, replace(to, addresses=(value, value)))
        return [(part, step) for part, step in found if part.satisfiable()]

    def _primary(self, link: str) -> list[Address]:
        held = self.view.addresses.get(link, ())
        return [one for one in held if not one.secondary and one.scope == "global"]

    def _towards(self, form: Form, value: int, length: int) -> PacketSet:
        """Packets whose next hop lies in a subnet."""
        hop = form.hop
        if ":" in hop:
            return self.space.none
        now = value_of(hop) if hop else form.destination
        return in_prefix(self.space, Part.DESTINATION, now, value, length)

    def _source(self, where: PacketSet, form: Form, to: NatRange) -> Steps:
        if not where.satisfiable():
            return []
        ports = to.ports
        if ports is None and to.random:
            ports = (1, 65535)
        moved = form._replace(
                bound_source=True, translated_source=True,
            source=to.addresses or form.source,
            source_ports=ports or form.source_ports,
        )  # fmt: skip
        if ports is None and to.addresses and to.addresses[0] == to.addresses[1]:
            value, now = to.addresses[0], form.source
            single = now[0] if isinstance(now, tuple) and now[0] == now[1] else None
            same = where & self.space.none
            if now is None or isinstance(now, Mapped):
                same = where & self.is_now(Part.SOURCE, now, value)
            elif single == value:
                same = where
            return [(where & ~same, moved), (same, form._replace(bound_source=True))]
        return [(where, moved)]


def _set(held: Bits, value: int, mask: int) -> Bits:
    """`(held & ~mask) ^ value`."""
    return ((held[0] & ~mask) ^ value) & FULL, held[1] & ~mask


def _mix(own: Bits, own_mask: int, other: Bits, other_mask: int) -> Bits:
    """`(own & ~own_mask) ^ (other & other_mask)`."""
    unknown = (own[1] & ~own_mask) | (other[1] & other_mask)
    return (((own[0] & ~own_mask) ^ (other[0] & other_mask)) & ~unknown) & FULL, unknown & FULL


def _shift(held: Bits, by: int) -> Bits:
    if by >= 0:
        return held[0] << by & FULL, held[1] << by & FULL
    return held[0] >> -by, held[1] >> -by


def _marked(form: Form, *, connection_mark: Bits) -> Form:
    value, unknown = connection_mark
    return form._replace(connection_mark=(value & ~unknown, unknown))


def _restored(form: Form, mark: Bits) -> Form:
    return form._replace(mark=mark[0] & ~mark[1], mark_unknown=mark[1])

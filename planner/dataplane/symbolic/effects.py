"""What targets do to the packets of a set: marks, octets, translations."""

from collections.abc import Callable
from dataclasses import replace

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.form import Bits, End, Form, lost, silent
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

    def change(self, effect: Effect, where: PacketSet, form: Form) -> list[tuple[PacketSet, Form]]:
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
                return [(where, form if form.came else replace(form, untracked=True))]
            case SetBits(field=Field.TOS, value=value, mask=mask):
                table = bytes((now & ~mask & 0xFF) ^ value for now in form.tos or SAME)
                return [(where, replace(form, tos=table))]
            case SetBits(field=Field.HOP_LIMIT, value=value, mask=mask):
                table = bytes((now & ~mask & 0xFF) ^ value for now in form.hop_limit or SAME)
                return [(where, replace(form, hop_limit=table))]
            case Shift(field=Field.HOP_LIMIT, by=by):
                # xt_HL.c, ttl_tg(): it stays within 0 and 255.
                table = bytes(min(255, max(0, now + by)) for now in form.hop_limit or SAME)
                return [(where, replace(form, hop_limit=table))]
            case UpdateSet(text=text) if "--map-mark" in text:
                return [(where, replace(form, mark=0, mark_unknown=FULL))]
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
                if mask != (1 << self.view.bits) - 1:
                    return [(where, lost(form, text))]
                to = NatRange(addresses=(value, value))
                return (
                    self._source(where, form, to) if source_side else self._destination(where, form, to, text)
                )

    def _destination(self, where: PacketSet, form: Form, to: NatRange, text: str) -> Steps:
        if any(pair is not None and pair[0] != pair[1] for pair in (to.addresses, to.ports)) or to.base_port:
            return [(where, lost(form, text))]
        address = to.addresses[0] if to.addresses else None
        port = to.ports[0] if to.ports else None
        # A translation to what stands there already is none: ctstate DNAT stays away (nf_nat_setup_info()).
        same = where
        if address is not None:
            same = same & self._is(Part.DESTINATION, form.destination, address)
        if port is not None:
            same = same & self._is(Part.DESTINATION_PORT, form.destination_port, port)
        moved = replace(
            form, bound=True, translated=True,
            destination=form.destination if address is None else address,
            destination_port=form.destination_port if port is None else port,
        )  # fmt: skip
        return [(where & ~same, moved), (same, replace(form, bound=True))]

    def _is(self, part: Part, now: int | None, value: int) -> PacketSet:
        if now is None:
            return self.space.equals(part, value)
        return self.space.all if now == value else self.space.none

    def _redirect(self, where: PacketSet, form: Form, to: NatRange, text: str) -> Steps:
        """To the first address of the link that it came by (nf_nat_redirect.c, nf_nat_redirect_ipv4())."""
        found: Steps = []
        for name in sorted(self.view.codes):
            part = where & self.view.came_by({name})
            if not part.satisfiable():
                continue
            held = [one for one in self.view.addresses.get(name, ()) if not one.secondary]
            near = part & (self._towards_links(form) if self.view.six else self.space.all)
            wide = [one for one in held if one.scope != "link"]
            # nf_nat_redirect_ipv6(): link-local addresses only for link-local destinations.
            for some, usable in ((near, held), (part & ~near, wide)):
                if usable:
                    value = value_of(usable[0].address)
                    found += self._destination(some, form, replace(to, addresses=(value, value)), text)
                else:
                    found.append((some, silent(Disposition.DROPPED, f"{text}: {name} has no address")))
        return [(part, step) for part, step in found if part.satisfiable()]

    def _towards_links(self, form: Form) -> PacketSet:
        """Packets to link-local addresses."""
        if form.destination is None:
            return self.space.prefix(Part.DESTINATION, *LINK_LOCAL)
        return self.space.all if form.destination >> 118 == LINK_LOCAL[0] >> 118 else self.space.none

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
        for part, value in self._sources.towards(form.link, form.destination):
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
        if now is None:
            return self.space.prefix(Part.DESTINATION, value, length)
        return self.space.all if now >> (32 - length) == value >> (32 - length) else self.space.none

    def _source(self, where: PacketSet, form: Form, to: NatRange) -> Steps:
        if not where.satisfiable():
            return []
        ports = to.ports
        if ports is None and to.random:
            ports = (1, 65535)
        moved = replace(
            form, bound_source=True, translated_source=True,
            source=to.addresses or form.source,
            source_ports=ports or form.source_ports,
        )  # fmt: skip
        if ports is None and to.addresses and to.addresses[0] == to.addresses[1]:
            value, now = to.addresses[0], form.source
            same = where & (
                self.space.equals(Part.SOURCE, value) if now is None
                else self.space.all if now == (value, value) else self.space.none
            )  # fmt: skip
            return [(where & ~same, moved), (same, replace(form, bound_source=True))]
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
    return replace(form, connection_mark=(value & ~unknown, unknown))


def _restored(form: Form, mark: Bits) -> Form:
    return replace(form, mark=mark[0] & ~mark[1], mark_unknown=mark[1])

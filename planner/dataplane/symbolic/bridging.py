"""Frames that come by a port of a bridge: whether netfilter sees them, and how they cross (net/bridge/br_netfilter_hooks.c)."""

from dataclasses import replace
from functools import cached_property

from planner.dataplane import bridge as node_bridge
from planner.dataplane.packet import show
from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.form import End, Form, Mapped, leaving, lost, silent
from planner.dataplane.symbolic.view import View
from planner.models.flow import Disposition

Steps = list[tuple[PacketSet, Form | End]]


class Bridges:
    """The bridges of one side."""

    def __init__(self, space: Space, view: View) -> None:
        self.space = space
        self.view = view
        self.names = tuple(
            name for name in sorted(view.codes) if name in view.links and view.links[name].kind == "bridge"
        )

    @cached_property
    def seen(self) -> PacketSet:
        """Packets whose port netfilter is told: it stays visible when they are routed (measured)."""
        if not self.view.ports:
            return self.space.none
        by_port = ~self.space.equals(Part.IN_PORT, 0)
        return by_port & self.view.came_where(
            "bridge-nf-call", {name: self._shows(name) for name in self.names}
        )

    def _shows(self, name: str) -> bool | None:
        """For the namespace, or for this bridge; without the key the module is not loaded."""
        word = "ip6tables" if self.view.six else "iptables"
        value = self.view.node.value(f"net.bridge.bridge-nf-call-{word}")
        own = self.view.links[name].options.get(f"nf_call_{word}") in {"1", "on"}
        if value is None:
            return None if self.view.node.missing("sysctl") else False
        return value != 0 or own

    def enter(self, where: PacketSet, form: Form) -> Steps:
        """A frame to another port: through the hooks, or straight across."""
        unseen = where & ~self.seen
        return [
            *self.leave(unseen, form._replace(across=True)),
            (where & self.seen, form._replace(across=True, stage="prerouting raw")),
        ]

    def cross(self, where: PacketSet, form: Form) -> Steps:
        """On as a frame, to the port that it is addressed to."""
        return [
            (part, form._replace(stage="forward mangle", link=name, bridge=name))
            for name in self.names
            if (part := where & self.view.came_by({name})).satisfiable()
        ]

    def turned(self, where: PacketSet, form: Form, link: str, hop: str) -> tuple[PacketSet, Steps]:
        """Translated, and the new destination is on the bridge that it came by: those packets, on as frames."""
        part = where & self.view.came_by({link}) if link in self.names else self.space.none
        if not part.satisfiable() or form.destination is None:
            return self.space.none, []
        if isinstance(form.destination, Mapped) and not hop:
            doubt = f"behind which port of {link} an address lies that NETMAP made"
            return part, [(part, lost(form, doubt))]
        port = node_bridge.port_of(self.view.node, link, hop or _shown(form.destination, self.view.family))
        return part, [(part, form._replace(stage="forward mangle", link=link, bridge=link, port=port))]

    def leave(self, where: PacketSet, form: Form) -> Steps:
        """Out by a port; back out of the one that it came by only with hairpin."""
        space, view = self.space, self.view
        out = replace(leaving(form), disposition=Disposition.BRIDGED, hop="", link=form.port or "")
        if form.port is None:
            return [(where, replace(out, by_port=True))]
        held = view.links.get(form.port)
        if form.port and held is not None and not held.up:
            doubt = f"port {form.port} of {form.bridge} is down"
            return [(where, End(Disposition.UNKNOWN, doubt=doubt, at=form, reason=doubt))]
        back = space.none
        if held is None or held.options.get("hairpin") != "on":
            back = where & view.by_port({form.port})
        text = f"it would leave {form.bridge} by the port it came by, and hairpin of {form.port} is off"
        return [(back, silent(Disposition.DROPPED, text)), (where & ~back, out)]


def _shown(destination: int | Mapped, family: str) -> str:
    return show(destination, family) if isinstance(destination, int) else ""

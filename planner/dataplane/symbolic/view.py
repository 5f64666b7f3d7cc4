"""One side of a comparison: what a node's state says, read so that sets of packets can be asked of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address

from planner.dataplane.hooks import Hook
from planner.dataplane.native import Attached
from planner.dataplane.order import Group, groups
from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.view import View as NodeView
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop, PolicyRule, Route
from planner.models.ruleset import IpSet, Table
from planner.sysctls.names import conf
from planner.sysctls.numbers import number

BACKENDS = ("nft", "legacy")
DEFAULT_RULES = (
    PolicyRule(family="ip", preference=0, table="255"),
    PolicyRule(family="ip", preference=32766, table="254"),
    PolicyRule(family="ip", preference=32767, table="253"),
)
DEFAULT_RULES6 = (
    PolicyRule(family="ip6", preference=0, table="255"),
    PolicyRule(family="ip6", preference=32766, table="254"),
)
"""IPv6 has no table `default` of its own (net/ipv6/fib6_rules.c, fib6_rules_net_init())."""


def value_of(address: str) -> int:
    """An address as a number."""
    return int(ip_address(address))


@dataclass(frozen=True, slots=True)
class Net:
    """A prefix as numbers."""

    value: int
    length: int
    bits: int = 32

    @property
    def last(self) -> int:
        """Its highest address."""
        return self.value | ((1 << (self.bits - self.length)) - 1)


def net_of(prefix: str) -> Net:
    """A prefix as iproute2 prints it."""
    net = IPv6Network(prefix, strict=False) if ":" in prefix else IPv4Network(prefix, strict=False)
    return Net(int(net.network_address), net.prefixlen, net.max_prefixlen)


class View:
    """What one state says about the space's family."""

    def __init__(
        self, space: Space, state: NodeState, codes: Mapping[str, int], ports: Mapping[str, int] | None = None
    ) -> None:
        self.space = space
        self.family = space.family
        self.six = space.family == "ip6"
        self.bits = 128 if self.six else 32
        self.state = state
        self.codes = codes
        """Numbers of the links that packets may come by, the same on both sides."""
        self.ports = ports or {}
        """Likewise of ports of bridges."""
        self.links: dict[str, Link] = {link.name: link for link in state.links}
        self._groups: dict[tuple[str, str], tuple[Group, ...]] = {}
        self.ipsets: dict[str, IpSet] = {one.name: one for one in state.ipsets}

    def tables(self, name: str) -> list[tuple[str, Table]]:
        """The tables of this name, with their backend."""
        found = []
        for backend in BACKENDS:
            rules = self.state.ruleset(self.family, backend)
            if rules is not None and name in rules.tables:
                found.append((backend, rules.tables[name]))
        return found

    @cached_property
    def attached(self) -> tuple[Attached, ...]:
        """Chains of nft on the hooks of the network layer."""
        return self.node.native.attached(self.family)

    def groups(self, hook: str, table: str) -> tuple[Group, ...]:
        """The chains that are asked when a table's turn comes, in order."""
        known = self._groups.get((hook, table))
        if known is None:
            known = self._groups[hook, table] = groups(
                Hook(hook.upper()), table, self.tables(table), self.attached
            )
        return known

    @cached_property
    def tracked(self) -> bool:
        """Whether anything in the rules makes conntrack look at packets: without it the nat table is inert."""
        return self.node.tracked(self.family)

    @cached_property
    def node(self) -> NodeView:
        """The same state as one packet meets it."""
        return NodeView(self.state)

    @cached_property
    def shows_entry(self) -> bool:
        """Whether POSTROUTING sees the link of entry: since Linux 5.7 (net/ipv4/ip_output.c, ip_output())."""
        words = self.state.kernel.split(".")
        try:
            return (int(words[0]), int(words[1].split("-")[0])) >= (5, 7)
        except (ValueError, IndexError):
            return True

    def knob(self, link: str, name: str) -> int | None:
        """A link's own value; None when the state does not hold it."""
        return number(self.state.sysctls.get(conf("ipv6" if self.six else "ipv4", link, name)))

    def mtu(self, link: str) -> int:
        """Octets that a link takes; IPv6 may have a limit of its own there."""
        held = self.links.get(link)
        own = self.knob(link, "mtu") if self.six else None
        return own or (held.mtu if held else 65535)

    def either(self, link: str, name: str) -> bool | None:
        """IN_DEV_ORCONF (include/linux/inetdevice.h): `all` or the link's own."""
        values = (self.knob("all", name), self.knob(link, name))
        return True if any(values) else None if None in values else False

    def came_where(self, name: str, answers: Mapping[str, bool | None]) -> PacketSet:
        """Packets that came by a link with a setting on; where the state is silent, that is an open question."""
        sure = self.came_by({link for link, answer in answers.items() if answer})
        unsure = [
            self.came_by({link})
            & self.space.oracle(("knob", link, name), text=f"{name} of {link} is not in the snapshot")
            for link in sorted(answers)
            if answers[link] is None
        ]
        return sure | self.space.union(unsure)

    def came_by(self, names: "list[str] | set[str]") -> PacketSet:
        """Packets that entered by one of these links."""
        return self.space.union(
            [
                self.space.equals(Part.IN_LINK, self.codes[name])
                for name in sorted(names)
                if name in self.codes
            ]
        )

    def by_port(self, names: "Iterable[str]", part: Part = Part.IN_PORT) -> PacketSet:
        """Packets that entered by, or are addressed to, one of these ports of a bridge."""
        known = [self.ports[name] for name in sorted(names) if name in self.ports]
        return self.space.union([self.space.equals(part, code) for code in known])

    @cached_property
    def addresses(self) -> dict[str, tuple[Address, ...]]:
        """The family's addresses of each link, in the kernel's order."""
        return {
            name: tuple(one for one in link.addresses if one.family == self.family)
            for name, link in self.links.items()
        }

    @cached_property
    def own(self) -> PacketSet:
        """Packets whose source is an address of the node."""
        values = {value_of(one.address) for held in self.addresses.values() for one in held}
        return self.space.union([self.space.equals(Part.SOURCE, value) for value in sorted(values)])

    @cached_property
    def rules(self) -> tuple[PolicyRule, ...]:
        """Policy rules in their order. None recorded means the kernel's own: without any nothing could be routed."""
        rules = [rule for rule in self.state.policy_rules if rule.family == self.family]
        usual = DEFAULT_RULES6 if self.six else DEFAULT_RULES
        return tuple(sorted(rules, key=lambda rule: rule.preference)) if rules else usual

    @cached_property
    def custom_rules(self) -> bool:
        """Whether source checks take the full way even without rp_filter (fib4_has_custom_rules())."""
        plain = {(rule.preference, rule.table) for rule in DEFAULT_RULES}
        custom = any(
            (rule.preference, rule.table) not in plain
            or rule.source
            or rule.fwmark
            or rule.iif
            or rule.inverted
            for rule in self.rules
        )
        # fib_frontend.c, inet_rtm_newroute(): a local route that somebody wrote himself.
        return custom or any(
            route.type == "local" and (route.table != "255" or route.protocol not in {"kernel", ""})
            for route in self.routes
        )

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The family's routes."""
        return tuple(route for route in self.state.routes if route.family == self.family)

    @cached_property
    def local_routes(self) -> tuple[Route, ...]:
        """The local table; where none was recorded, what the kernel makes of the addresses."""
        recorded = tuple(route for route in self.routes if route.table == "255")
        return recorded or tuple(self._derived())

    def _derived(self) -> list[Route]:
        return [
            Route(
                family=self.family, table="255", type="local", nexthops=(NextHop(link=name),),
                prefix="127.0.0.0/8" if one.address.startswith("127.") else f"{one.address}/{self.bits}",
            )
            for name, held in sorted(self.addresses.items())
            for one in held
            if self.links[name].up or not self.six
        ]  # fmt: skip

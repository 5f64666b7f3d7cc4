"""The commands that lead a node's links, addresses, routes, rules and entries back to a former state.

Each command is tried on the model of the kernel (`planner.iproute`) before the next is chosen: what a link's going down
or an address's leaving takes along is seen, and put back. The obvious inverse of a command is not enough (measured:
eight of eighteen leave something behind).
"""

from collections.abc import Iterable

from planner.emit.ip_links import creatable, create_command, follows_ports, link_commands, port_commands
from planner.emit.ip_words import (
    address_command,
    fdb_command,
    neighbour_command,
    nexthop_command,
    route_command,
    rule_command,
)
from planner.iproute.connected import is_local_of, joined, without_local_route
from planner.iproute.run import run
from planner.iproute.world import NotModelledError, RefusedError
from planner.models.link import Address, ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState
from planner.models.plan import Residue
from planner.models.route import PolicyRule, Route
from planner.models.source import Source
from planner.parse.ip_names import DISCARDING, NotUnderstoodError

Words = tuple[str, ...]


def restore_commands(have: NodeState, want: NodeState) -> tuple[Words, ...]:
    """Commands that turn `have` into `want`, in an order that the kernel accepts; none when they are equal."""
    return tuple(_restored(have, want).commands)


TAKEN = 'ip -o link show dev "$1" | grep -q " $2 " || ip link set dev "$1" address "$2"'
"""A bridge is told its address only where somebody has given it another one: it would keep it from then on."""


class Restoration:
    """A state under repair: the commands so far and what they made of it."""

    def __init__(self, have: NodeState, want: NodeState) -> None:
        # Sysctls are written back before: whether IPv6 is on decides what the commands do.
        self.state = have
        if have.sysctls != want.sysctls:
            known = {key: want.sysctls[key] for key in have.sysctls if key in want.sysctls}
            self.state = have.model_copy(update={"sysctls": {**have.sysctls, **known}})
        self.have = have
        self.want = want
        self.commands: list[Words] = []
        self.refused: list[tuple[Words, str]] = []

    def do(self, *commands: Words) -> None:
        """Run a command in the model and keep it, unless it would fail."""
        for argv in commands:
            try:
                self.state = run(argv, self.state, Source(name="undo")).state()
            except RefusedError as error:
                self.refused.append((argv, str(error)))
                continue
            except (NotModelledError, NotUnderstoodError):
                pass
            self.commands.append(argv)

    def link(self, name: str) -> Link:
        """The link as it is now."""
        link = self.state.link(name)
        if link is None:
            raise AssertionError(name)
        return link


VXLAN_ROOM = 70
"""The largest that the headers outside need (include/net/vxlan.h, VXLAN6_HEADROOM)."""
WORLD = ("links", "routes", "policy_rules", "nexthop_objects", "neighbours", "fdb")
"""The fields of a node that commands of iproute2 bring back."""


def _restored(have: NodeState, want: NodeState) -> Restoration:
    way = Restoration(have, want)
    if all(getattr(have, field) == getattr(want, field) for field in WORLD):
        return way
    _names(way)
    _existence(way)
    _settings(way)
    _addresses(way)
    _neighbours(way)
    # Rules before routes: a gateway is looked up through them.
    _rules(way)
    _routes(way)
    _fdb(way)
    return way


def _names(way: Restoration) -> None:
    """A link that only got another name is the one with the same index."""
    wanted = {link.index: link.name for link in way.want.links if link.index}
    for link in way.state.links:
        name = wanted.get(link.index, link.name)
        if name != link.name and way.state.link(name) is None and way.want.link(link.name) is None:
            before = len(way.refused)
            way.do(("ip", "link", "set", "dev", link.name, "name", name))
            if len(way.refused) > before:
                # Before Linux 6.2 a link that is up cannot be renamed.
                way.do(
                    ("ip", "link", "set", "dev", link.name, "down"),
                    ("ip", "link", "set", "dev", link.name, "name", name),
                )


def _existence(way: Restoration) -> None:
    for link in way.state.links:
        other = way.want.link(link.name)
        if way.state.link(link.name) is not None and (other is None or _is_another(link, other)):
            way.do(("ip", "link", "delete", "dev", link.name))
    # A link comes after the one below it; indexes say in which order they were made.
    for link in sorted(way.want.links, key=lambda link: (bool(link.lower), link.index, link.name)):
        if way.state.link(link.name) is None and creatable(link):
            peer = way.want.link(link.options.get("peer", "")) if link.kind == "veth" else None
            way.do(create_command(link, peer))


def _is_another(have: Link, want: Link) -> bool:
    """Whether a link of the same name has to be made anew: nothing else gives it its kind, its VNI or its tag back."""
    if have.kind != want.kind:
        return bool(have.kind and want.kind)
    fixed = {
        "vxlan": ("id", "local", "remote", "group", "port"),
        "vlan": ("id", "protocol"),
        "vrf": ("table",),
    }
    return any(have.options.get(name) != want.options.get(name) for name in fixed.get(want.kind, ()))


def _depth(way: Restoration, link: Link) -> tuple[int, int]:
    """Links below come before those on top, ports before their bridge."""
    below, seen = 0, link
    while seen.lower and below < 8:
        lower = way.want.link(seen.lower)
        if lower is None:
            break
        below, seen = below + 1, lower
    return below, int(link.kind == "bridge")


def _settings(way: Restoration) -> None:
    """Master, hardware address, MTU, and state last: going up starts IPv6 with what the link then has."""
    links = sorted(
        (link for link in way.want.links if way.state.link(link.name)),
        key=lambda link: (_depth(way, link), link.name),
    )
    for want in links:
        if way.link(want.name).master and way.link(want.name).master != want.master:
            way.do(("ip", "link", "set", "dev", want.name, "nomaster"))
    for want in links:
        if way.link(want.name).up and not want.up:
            way.do(("ip", "link", "set", "dev", want.name, "down"))
    for want in links:
        # A bridge that has the address of a port has it again with the port.
        taken = follows_ports(want, way.want)
        way.do(*link_commands(way.link(want.name), want.model_copy(update={"mac": ""}) if taken else want))
    for want in links:
        if way.link(want.name).mtu < want.mtu:
            lower = way.state.link(want.lower) if want.kind == "vxlan" else None
            if lower is not None and lower.mtu < want.mtu + VXLAN_ROOM:
                # It kept its size while the link below it became smaller: it can only grow on a large one.
                way.do(("ip", "link", "set", "dev", lower.name, "mtu", str(want.mtu + VXLAN_ROOM)))
            way.do(("ip", "link", "set", "dev", want.name, "mtu", str(want.mtu)))
    for want in reversed(links):
        if way.link(want.name).mtu > want.mtu:
            way.do(("ip", "link", "set", "dev", want.name, "mtu", str(want.mtu)))
    for want in links:
        if want.master and way.link(want.name).master != want.master and way.state.link(want.master):
            way.do(("ip", "link", "set", "dev", want.name, "master", want.master))
        way.do(*port_commands(way.link(want.name), want))
    for want in links:
        # A port may have changed its bridge. Whether a bridge follows its ports no snapshot shows: it is told what to be.
        if want.kind == "bridge":
            now, first = way.link(want.name), way.have.link(want.name)
            if now.mtu != want.mtu or first is None or first.mtu != want.mtu:
                way.do(("ip", "link", "set", "dev", want.name, "mtu", str(want.mtu)))
            if want.mac and now.mac != want.mac:
                way.do(("ip", "link", "set", "dev", want.name, "address", want.mac))
            elif follows_ports(want, way.want) and first is not None and first.mac != want.mac:
                way.commands.append(("sh", "-c", TAKEN, "address", want.name, want.mac))
    for want in links:
        if want.up and not way.link(want.name).up:
            way.do(("ip", "link", "set", "dev", want.name, "up"))


def _facts(address: Address) -> Address:
    """What a command can give back: not whether it is secondary, which its place decides, nor its lifetime."""
    return address.model_copy(update={"secondary": False, "dynamic": False})


def _addresses(way: Restoration) -> None:
    for want in way.want.links:
        if way.state.link(want.name) is None:
            continue
        _addresses4(way, want)
        _addresses6(way, want)


def _four(link: Link) -> list[Address]:
    return [
        address.model_copy(update={"dynamic": False}) for address in link.addresses if address.family == "ip"
    ]


def _addresses4(way: Restoration, want: Link) -> None:
    """IPv4: the order decides which is primary. When adding what lacks does not give it, all are written anew."""
    wanted = _four(want)
    if _four(way.link(want.name)) == wanted:
        return
    kept = [_facts(address) for address in wanted]
    for address in reversed(_four(way.link(want.name))):
        if _facts(address) not in kept and any(
            _facts(address) == _facts(now) for now in _four(way.link(want.name))
        ):
            way.do(address_command("del", address, want.name))
    trial = Restoration(way.state, way.want)
    _add_missing(trial, want)
    if _four(trial.link(want.name)) != wanted:
        for address in reversed(_four(way.link(want.name))):
            if any(_facts(address) == _facts(now) for now in _four(way.link(want.name))):
                way.do(address_command("del", address, want.name))
    _add_missing(way, want)


def _add_missing(way: Restoration, want: Link) -> None:
    for address in _four(want):
        if not any(_facts(address) == _facts(now) for now in _four(way.link(want.name))):
            way.do(address_command("add", address, want.name))


def _addresses6(way: Restoration, want: Link) -> None:
    wanted = [_facts(address) for address in want.addresses if address.family == "ip6"]
    for address in way.link(want.name).addresses:
        if address.family == "ip6" and _facts(address) not in wanted:
            same = next((other for other in wanted if other.address == address.address), None)
            if same is None or (same.length, same.peer, same.scope) != (
                address.length,
                address.peer,
                address.scope,
            ):
                way.do(address_command("del", address, want.name))
    # The kernel puts the newest first.
    for address in reversed(wanted):
        if address not in [_facts(now) for now in way.link(want.name).addresses]:
            way.do(address_command("replace", address, want.name))


def _key(route: Route) -> "Key":
    return route.family, route.table, route.prefix, route.tos, route.metric


def _hops(route: Route) -> tuple[str, ...]:
    return tuple(hop.link for hop in route.nexthops)


def _content(route: Route) -> Route:
    """What a command can give back."""
    return route.model_copy(
        update={"expires": False, "options": {k: v for k, v in route.options.items() if k != "pervasive"}}
    )


def _order(route: Route) -> tuple[int, str, str]:
    """On-link routes first, gateways through other families last: each needs the former to be there."""
    through = any(hop.via for hop in route.nexthops)
    other = any(hop.via_family for hop in route.nexthops)
    rank = 0 if not through and route.nexthop_id is None and route.type not in DISCARDING else 1
    if through or route.nexthop_id is not None:
        rank = 4 if other else 2 if route.family == "ip6" else 3
    return rank, route.table, route.prefix


def _routes(way: Restoration) -> None:
    """What the kernel made or took along the way is in the model: only what really differs is written."""
    _nexthops_gone(way)
    routes = [route for route in way.want.routes if not joined(route)]
    _write_routes(way, [route for route in routes if _order(route)[0] < 2])
    _nexthops(way)
    _write_routes(way, [route for route in routes if _order(route)[0] >= 2])
    wanted = {_key(route) for route in way.want.routes}
    early = without_local_route(way.want)
    for route in way.state.routes:
        if joined(route) or _key(route) in wanted:
            continue
        if route in way.state.routes and not is_local_of(route, early):
            way.do(route_command("del", route))


Key = tuple[str, str, str, str, int]


def _by_key(routes: Iterable[Route]) -> dict[Key, list[Route]]:
    groups: dict[Key, list[Route]] = {}
    for route in routes:
        groups.setdefault(_key(route), []).append(route)
    return groups


def _write_routes(way: Restoration, routes: Iterable[Route]) -> None:
    groups = _by_key(way.want.routes)
    # A route with a lifetime comes back with the next router advertisement; written by hand it would never go.
    living = [_content(route) for route in way.want.routes if route.expires]
    current, state = _by_key(way.state.routes), way.state
    for key in dict.fromkeys(_key(route) for route in sorted(routes, key=_order)):
        if way.state is not state:
            current, state = _by_key(way.state.routes), way.state
        if current.get(key) == groups[key]:
            continue
        wanted = [content for content in map(_content, groups[key]) if content not in living]
        have = [_content(route) for route in current.get(key, ())]
        if have == wanted or (key[0] == "ip6" and sorted(map(repr, have)) == sorted(map(repr, wanted))):
            continue
        if len(wanted) == 1 and len(have) <= 1:
            way.do(route_command("replace", wanted[0]))
            continue
        for route in have:
            if key[0] == "ip" or not _among(route, wanted):
                way.do(route_command("del", route))
        for route in wanted:
            now = [other for other in way.state.routes if other.prefix == route.prefix and _key(other) == key]
            if not _among(route, now):
                way.do(route_command("append" if now else "add", route))


def _among(route: Route, others: Iterable[Route]) -> bool:
    """Whether one has this content. Every link has the same IPv6 prefixes: those by other links are not compared."""
    hops = _hops(route)
    return any(_hops(other) == hops and _content(other) == route for other in others)


def _nexthops_gone(way: Restoration) -> None:
    wanted = {item.id for item in way.want.nexthop_objects}
    for item in way.state.nexthop_objects:
        if item.id not in wanted and any(other.id == item.id for other in way.state.nexthop_objects):
            way.do(nexthop_command("del", item))


def _nexthops(way: Restoration) -> None:
    for item in sorted(way.want.nexthop_objects, key=lambda item: (bool(item.group), item.id)):
        now = next((other for other in way.state.nexthop_objects if other.id == item.id), None)
        if now == item:
            continue
        if now is not None and bool(now.group) != bool(item.group):
            way.do(nexthop_command("del", now))
        before = len(way.refused)
        way.do(nexthop_command("replace", item))
        if len(way.refused) > before and item.hop.via:
            # It outlived the address through which its gateway was reached (measured): for a moment there is a way again.
            family = "-6" if ":" in item.hop.via else "-4"
            way_to = (item.hop.via, "dev", item.hop.link, "scope", "link", "table", "254")
            del way.refused[before:]
            way.do(
                ("ip", family, "route", "add", *way_to),
                nexthop_command("replace", item),
                ("ip", family, "route", "del", *way_to),
            )


def _rules(way: Restoration) -> None:
    """Missing ones are added before extra ones go, so that there is never less than before."""

    def told(rule: PolicyRule) -> PolicyRule:
        return rule.model_copy(update={"protocol": ""})

    for family in ("ip", "ip6"):
        wanted = [rule for rule in way.want.policy_rules if rule.family == family]
        for preference in sorted({rule.preference for rule in wanted}):
            should = [rule for rule in wanted if rule.preference == preference]
            now = [
                rule
                for rule in way.state.policy_rules
                if (rule.family, rule.preference) == (family, preference)
            ]
            if [told(rule) for rule in now] == [told(rule) for rule in should]:
                continue
            if len(should) > 1 and now:
                for rule in now:
                    way.do(rule_command("del", rule))
                now = []
            for rule in should:
                if told(rule) not in [told(other) for other in now]:
                    way.do(rule_command("add", rule))
        for rule in [rule for rule in way.state.policy_rules if rule.family == family]:
            if told(rule) not in [told(other) for other in wanted]:
                way.do(rule_command("del", rule))


def _lasting(entries: Iterable[Neighbour]) -> list[Neighbour]:
    return [entry.model_copy(update={"state": ""}) for entry in entries if entry.permanent or entry.proxy]


def _neighbours(way: Restoration) -> None:
    if way.state.neighbours == way.want.neighbours:
        return
    wanted = _lasting(way.want.neighbours)
    places = {(entry.address, entry.link, entry.proxy) for entry in wanted}
    for entry in _lasting(way.state.neighbours):
        if (entry.address, entry.link, entry.proxy) not in places:
            way.do(neighbour_command("del", entry))
    held = _lasting(way.state.neighbours)
    for entry in wanted:
        if entry not in held and way.state.link(entry.link) is not None:
            way.do(neighbour_command("replace", entry))
            held = _lasting(way.state.neighbours)


EVERYTHING = "00:00:00:00:00:00"


def written(state: NodeState) -> list[ForwardingEntry]:
    """Permanent entries but those that a bridge keeps for the addresses of its own ports."""
    # The address of lo is also the one of overlay entries for everything unknown (vxlan: all zeros).
    own = {link.mac for link in state.links} - {EVERYTHING}
    return [entry for entry in state.fdb if entry.permanent and entry.mac not in own]


def _fdb(way: Restoration) -> None:
    if way.state.fdb == way.want.fdb and way.state.links == way.want.links:
        return
    wanted = written(way.want)
    for entry in written(way.state):
        if entry not in wanted:
            way.do(fdb_command("del", entry))
    for entry in wanted:
        if entry not in written(way.state) and way.state.link(entry.link) is not None:
            many = entry.mac == EVERYTHING or int(entry.mac[:2], 16) & 1
            action = ("append" if entry.destination else "add") if many else "replace"
            way.do(fdb_command(action, entry))


def unrestorable(have: NodeState, want: NodeState) -> tuple[Residue, ...]:
    """What the commands do not bring back, each with the reason, sorted."""
    way = _restored(have, want)
    found: set[tuple[str, str]] = set()
    held = {link.index for link in have.links}
    for argv, error in way.refused:
        found.add((" ".join(argv), f"the kernel would refuse it: {error}"))
    for link in want.links:
        old, now = have.link(link.name), way.state.link(link.name)
        if now is None:
            found.add(
                (f"link {link.name}", "no command makes such a link again: its driver, agent or pod has to")
            )
        elif old is None and link.index and now.index == link.index and link.index in held:
            continue  # it was renamed, and gets its name back
        elif old is None or _is_another(old, link) or (old.index and now.index != old.index):
            found.add(
                (
                    f"link {link.name}",
                    "is made anew: index, statistics, queueing, learned entries and attached programs are lost",
                )
            )
    for link in have.links:
        if want.link(link.name) is None and way.state.link(link.name) is not None:
            found.add((f"link {link.name}", "cannot be deleted by a command"))
    found |= _volatile(have, want, way.state)
    return tuple(Residue(what=what, reason=reason) for what, reason in sorted(found))


def _volatile(have: NodeState, want: NodeState, now: NodeState) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for link in want.links:
        before, after = have.link(link.name), now.link(link.name)
        if after is None:
            continue
        lost = before.addresses if before is not None else ()
        for address in link.addresses:
            if address.dynamic and address not in lost:
                found.add(
                    (
                        f"address {address.prefix} on {link.name}",
                        "was leased or advertised: it comes back without its lifetime",
                    )
                )
        six = [[a.address for a in one.addresses if a.family == "ip6"] for one in (after, link)]
        if six[0] != six[1] and sorted(six[0]) == sorted(six[1]):
            found.add(
                (
                    f"addresses of {link.name}",
                    "are in another order, which decides only between equal IPv6 sources",
                )
            )
        if link.xdp and not (before and before.xdp):
            found.add((f"link {link.name}", "an XDP program has to be attached again"))
    # Every link has the same IPv6 prefixes: only those by the same links are compared.
    routes: dict[tuple[Key, tuple[str, ...]], list[Route]] = {}
    for route in now.routes:
        routes.setdefault((_key(route), _hops(route)), []).append(route)
    for route in want.routes:
        if joined(route):
            continue
        alike = routes.get((_key(route), _hops(route)), [])
        if route not in alike and _content(route) not in map(_content, alike):
            why = (
                "the next router advertisement brings it back"
                if route.expires
                else "the kernel does not take it back"
            )
            found.add((f"route {route.prefix} in table {route.table}", why))
    return found

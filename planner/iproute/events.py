"""What the kernel does by itself when a link goes up or down, gains or loses carrier or IPv6, comes or goes.

Measured on Linux 6.18 and, where cited, read in its sources.
"""

from planner.iproute.connected import MINIMUM_MTU6, link_local, local6, multicast6, prefix6, routes4
from planner.iproute.world import World, sysctl_name
from planner.models.change import Cause
from planner.models.link import Address, Link
from planner.models.route import LOCAL, MAIN, NextHop, NextHopObject, Route
from planner.parse.ip_names import DISCARDING

UNUSABLE_BELOW = ("net.ipv6.conf.{}.", "net.ipv6.neigh.{}.")
SELF_CARRIED = frozenset({"vxlan", "loopback", "dummy", "ifb", "ipip", "sit", "gre", "wireguard", "tun"})
"""Kinds that have carrier whenever they are up."""
STACKED = frozenset({"vlan", "macvlan", "macvtap", "ipvlan"})
"""Kinds that have the carrier of the link below."""


def has_ipv6(world: World, link: Link) -> bool:
    """Whether the link takes part in IPv6 at all."""
    key = f"net.ipv6.conf.{sysctl_name(link.name)}.disable_ipv6"
    return link.mtu >= MINIMUM_MTU6 and world.sysctls.get(key, "0") != "1"


def _same_key(left: Route, right: Route) -> bool:
    # Every link has the same IPv6 prefixes: what tells most of them apart is asked first.
    if left.prefix != right.prefix or [hop.link for hop in left.nexthops] != [
        hop.link for hop in right.nexthops
    ]:
        return False
    return (left.family, left.table, left.prefix, left.tos, left.metric, left.type) == (
        right.family,
        right.table,
        right.prefix,
        right.tos,
        right.metric,
        right.type,
    ) and left.nexthops == right.nexthops


def add_kernel_route(world: World, route: Route, because: str) -> None:
    """Add a route the kernel makes, unless it is there already."""
    if route.table == LOCAL and _local_unrecorded(world, route):
        return
    alike = (other for other in world.routes if other.prefix == route.prefix)
    if not any(_same_key(route, other) and other.source == route.source for other in alike):
        world.add_route(route, because)


def _local_unrecorded(world: World, route: Route) -> bool:
    """Whether the table of own addresses was left out of the snapshot: half of one would deny the other addresses."""
    mine = {hop.link for hop in route.nexthops}
    return not any(one.table == LOCAL and one.family == route.family for one in world.routes) and any(
        address.family == route.family
        for link in world.links
        if link.name not in mine
        for address in link.addresses
    )


def drop_kernel_route(world: World, route: Route, because: str) -> None:
    """Remove a route the kernel had made."""
    world.drop_routes(
        lambda other: _same_key(route, other) and other.source == route.source and other.protocol == "kernel",
        because,
    )


def update_routes4(world: World, before: Link, after: Link, because: str) -> None:
    """Follow a change of a link's IPv4 addresses or state."""
    old, new = routes4(before), routes4(after)
    for route in old:
        if route not in new:
            drop_kernel_route(world, route, because)
    for route in new:
        if route not in old:
            add_kernel_route(world, route, because)


def carrier_of(world: World, link: Link) -> bool:
    """Whether the link would have carrier now. What depends on a cable or on another namespace keeps the recorded state."""
    if not link.up:
        return False
    if link.kind in SELF_CARRIED:
        return True
    before = world.before.link(link.name)
    recorded = before.carrier if before is not None and before.up else True
    if link.kind == "veth":
        peer = world.link(link.options.get("peer", ""))
        return peer.up if peer is not None else recorded
    if link.kind == "bridge":
        ports = [port for port in world.links if port.master == link.name]
        if not ports and not any(port.master == link.name for port in world.before.links):
            return link.carrier
        return any(port.up and port.carrier for port in ports)
    if link.kind in STACKED and link.lower:
        below = world.link(link.lower)
        return recorded if below is None else below.up and below.carrier
    return recorded


def settle(world: World, because: str) -> None:
    """Let carrier follow: peers of veth pairs, bridges of their ports, stacked links of what is below."""
    for _ in range(len(world.links) + 1):
        moved = False
        for link in tuple(world.links):
            carrier = carrier_of(world, link)
            if not link.up or carrier == link.carrier:
                continue
            moved = True
            # Carrier is volatile and not a change of its own; what follows from it is.
            changed = world.put_link(link.model_copy(update={"carrier": carrier}), "")
            if carrier:
                start_ipv6(world, changed.name, because)
            else:
                flush_nexthops(world, link.name, f"{link.name} lost its carrier")
        if not moved:
            return


def start_ipv6(world: World, name: str, because: str) -> None:
    """IPv6 begins on a link that is up with carrier: link-local address, prefixes, multicast range."""
    link = world.need_link(name)
    if not has_ipv6(world, link) or link.kind == "loopback":
        return
    own = f"net.ipv6.conf.{sysctl_name(name)}.addr_gen_mode"
    generated = link_local(link.mac)
    # addr_gen_mode 0 is EUI-64 (Documentation/networking/ip-sysctl.rst).
    if world.sysctls.get(own, "0") == "0":
        if generated and not any(address.address == generated for address in link.addresses):
            address = Address(address=generated, length=64, scope="link")
            link = world.put_link(insert6(link, address), f"address/{generated}", because)
        elif (
            not generated
            and not link.mac
            and link.kind in {"veth", "bridge", "vxlan", "macvlan", "dummy", "ifb", "vlan"}
        ):
            world.gap(
                f"links/{name}", f"the hardware address of {name} is random, so is its link-local address"
            )
            for route in prefix6(link, Address(address="fe80::", length=64, scope="link")):
                add_kernel_route(world, route, because)
    for address in link.addresses:
        if address.family == "ip6":
            add_kernel_route(world, local6(link, address), because)
            for route in prefix6(link, address):
                add_kernel_route(world, route, because)
    add_kernel_route(world, multicast6(link), because)


def insert6(link: Link, address: Address) -> Link:
    """The kernel keeps IPv6 addresses by scope, the newest of a scope first (net/ipv6/addrconf.c, ipv6_link_dev_addr)."""
    rank = {"global": 0, "site": 5, "link": 4, "host": 6}
    at = len(link.addresses)
    for place, other in enumerate(link.addresses):
        if other.family == "ip6" and rank.get(other.scope, 0) >= rank.get(address.scope, 0):
            at = place
            break
    return link.model_copy(update={"addresses": (*link.addresses[:at], address, *link.addresses[at:])})


def flush_nexthops(world: World, name: str, because: str) -> None:
    """Nexthop objects over a link that went, and the routes that use them."""
    for item in [item for item in world.nexthops if item.hop.link == name]:
        remove_nexthop(world, item, because)


def remove_nexthop(world: World, item: NextHopObject, because: str) -> None:
    """An object goes, leaves its groups, and takes the routes along that have nothing else."""
    world.nexthops = [other for other in world.nexthops if other.id != item.id]
    world.tell(f"nexthop/{item.id}", because)
    world.drop_routes(lambda route: route.nexthop_id == item.id, because or f"nexthop {item.id} is gone")
    for group in [other for other in world.nexthops if any(member == item.id for member, _ in other.group)]:
        left = tuple(part for part in group.group if part[0] != item.id)
        reason = because or f"nexthop {item.id} is gone"
        if not left:
            remove_nexthop(world, group, reason)
            continue
        smaller = group.model_copy(update={"group": left})
        world.nexthops = [smaller if other.id == group.id else other for other in world.nexthops]
        world.tell(f"nexthop/{group.id}", reason)
        refresh_routes(world, smaller, reason)


def hops_of(world: World, item: NextHopObject) -> tuple[NextHop, ...]:
    """What a route over the object goes through."""
    if not item.group:
        return () if item.blackhole else (item.hop,)
    found: list[NextHop] = []
    for member, weight in item.group:
        part = world.nexthop(member)
        if part is not None:
            found.append(part.hop.model_copy(update={"weight": weight}))
    # A group of one is printed like a plain route, without its weight.
    return (found[0].model_copy(update={"weight": 1}),) if len(found) == 1 else tuple(found)


def refresh_routes(world: World, item: NextHopObject, because: str) -> None:
    """Routes follow their nexthop object."""
    for route in [route for route in world.routes if route.nexthop_id == item.id]:
        world.replace_route(route, route.model_copy(update={"nexthops": hops_of(world, item)}), because)


def _alive(world: World, hop: NextHop, lost: str) -> bool:
    link = world.link(hop.link)
    return hop.link != lost and (link is None or link.up)


def _lost(world: World, route: Route, name: str, *, unregistered: bool, forced: bool = False) -> bool:
    """Whether a route goes with the link: all its next hops are dead (net/ipv4/fib_semantics.c, fib_sync_down_dev).

    Those of scope host, as of local addresses, stay when a link goes down, and go when it ends or when the kernel forces
    it: with the last IPv4 address (net/ipv4/fib_frontend.c, fib_inetaddr_event).
    """
    if not any(hop.link == name for hop in route.nexthops):
        return False
    if route.family == "ip":
        if not unregistered and not forced and route.scope == "host":
            return False
        return unregistered or not any(_alive(world, hop, name) for hop in route.nexthops)
    return not any(_alive(world, hop, name) for hop in route.nexthops)


def _drop_over(world: World, name: str, family: str, because: str, *, unregistered: bool = False) -> None:
    world.drop_routes(
        lambda route: route.family == family and _lost(world, route, name, unregistered=unregistered), because
    )


def stop_ipv6(world: World, name: str, because: str, *, keep: bool) -> None:
    """IPv6 ends on a link: routes, neighbours, and addresses unless they are to be kept."""
    _drop_over(world, name, "ip6", because)
    world.drop_routes(
        lambda route: (
            route.family == "ip6"
            and (
                (any(hop.link == name for hop in route.nexthops) and len(route.nexthops) == 1)
                # What discards packets lies on lo, whatever is printed (net/ipv6/route.c, fib6_nh_init; measured).
                or (name == "lo" and route.type in DISCARDING)
            )
        ),
        because,
    )
    world.drop_neighbours(lambda entry: entry.link == name and ":" in entry.address, because)
    link = world.need_link(name)
    for address in link.addresses:
        kept = keep and address.scope != "link" and not address.dynamic
        if address.family == "ip6" and not kept:
            link = world.put_link(
                link.model_copy(
                    update={"addresses": tuple(other for other in link.addresses if other != address)}
                ),
                f"address/{address.prefix}",
                because,
            )


def link_down(world: World, name: str) -> None:
    """`ip link set NAME down`."""
    link = world.need_link(name)
    because = f"{name} goes down: the kernel removes the routes over it"
    own, every = (f"net.ipv6.conf.{part}.keep_addr_on_down" for part in (sysctl_name(name), "all"))
    # The link's own value counts unless it is 0 (net/ipv6/addrconf.c, addrconf_ifdown).
    setting = world.sysctls.get(own, "0")
    keep = (setting if setting != "0" else world.sysctls.get(every, "0")) not in {"0", "-1"}
    world.put_link(link.model_copy(update={"up": False, "carrier": False}), "up")
    flush_nexthops(world, name, because)
    _drop_over(world, name, "ip", because)
    stop_ipv6(
        world,
        name,
        f"{name} goes down: IPv6 loses its {'routes' if keep else 'addresses and routes'}",
        keep=keep,
    )
    world.drop_neighbours(
        lambda entry: entry.link == name, f"{name} goes down: its neighbours are flushed, permanent ones too"
    )
    settle(world, f"{name} went down")


def link_up(world: World, name: str) -> None:
    """`ip link set NAME up`."""
    link = world.need_link(name)
    world.put_link(link.model_copy(update={"up": True}), "up")
    because = f"{name} comes up: the kernel adds the routes of its addresses"
    update_routes4(world, link, world.need_link(name), because)
    up = world.need_link(name)
    if not up.carrier and not carrier_of(world, up) and has_ipv6(world, up):
        # Without carrier the addresses that exist get their prefixes, and no link-local address is made.
        for address in up.addresses:
            if address.family == "ip6":
                for route in (local6(up, address), *prefix6(up, address)):
                    add_kernel_route(world, route, because)
    if up.kind == "bridge" and EVERY_BRIDGE not in up.options and not _has_ports(world, name):
        # Until its first port comes, a bridge that a proposal has made has its carrier (measured).
        world.put_link(up.model_copy(update={"carrier": True}), "")
        start_ipv6(world, name, because)
    settle(world, because)


def _has_ports(world: World, name: str) -> bool:
    return any(port.master == name for port in world.links)


def _drop_with_source(world: World, source: str) -> None:
    world.drop_routes(
        lambda route: route.family == "ip" and route.table == MAIN and route.source == source,
        f"{source} is gone, which the route had as its source",
    )


def addresses_lost4(world: World, before: Link, gone: tuple[Address, ...]) -> None:
    """What else goes with IPv4 addresses: routes that had them as source, and everything with a link's last one."""
    name = before.name
    left = world.need_link(name)
    for address in gone:
        if any(other.address == address.address for link in world.links for other in link.addresses):
            continue
        # Only in the main table: the source is looked up in the table of the link (fib_sync_down_addr), measured.
        _drop_with_source(world, address.address)
    if not any(address.family == "ip" for address in left.addresses):
        because = f"{name} lost its last IPv4 address"
        world.drop_routes(
            lambda route: (
                route.family == "ip"
                and route.nexthop_id is None
                and _lost(world, route, name, unregistered=False, forced=True)
            ),
            because,
        )
        world.drop_neighbours(lambda entry: entry.link == name and ":" not in entry.address, because)


def unregister(world: World, name: str, *, because: str = "") -> None:
    """A link is deleted: everything that hangs on it goes."""
    link = world.need_link(name)
    reason = because or f"{name} is deleted"
    if link.up:
        link_down(world, name)
    for port in [other for other in world.links if other.master == name]:
        world.put_link(
            port.model_copy(update={"master": "", "options": without_port_options(port)}), "master", reason
        )
    flush_nexthops(world, name, reason)
    _drop_over(world, name, "ip", reason, unregistered=True)
    for route in [route for route in world.routes if any(hop.link == name for hop in route.nexthops)]:
        left = tuple(hop for hop in route.nexthops if hop.link != name)
        if left:
            world.replace_route(route, route.model_copy(update={"nexthops": left}), reason)
    world.drop_routes(
        lambda route: bool(route.nexthops) and all(hop.link == name for hop in route.nexthops), reason
    )
    world.drop_neighbours(lambda entry: entry.link == name, reason)
    world.drop_fdb(lambda entry: name in {entry.link, entry.master}, reason)
    world.links = [other for other in world.links if other.name != name]
    world.tell(f"link/{name}", because)
    world.drop_sysctls(
        (
            f"net.{family}.{group}.{sysctl_name(name)}."
            for family in ("ipv4", "ipv6")
            for group in ("conf", "neigh")
        ),
        reason,
    )
    if link.kind == "veth":
        peer = world.link(link.options.get("peer", ""))
        if peer is not None:
            unregister(world, peer.name, because=f"{name}, the other end of the pair, is deleted")
    for upper in [
        other.name for other in world.links if other.lower == name and other.kind in {*STACKED, "vxlan"}
    ]:
        if world.link(upper) is not None:
            unregister(world, upper, because=f"{name}, the link below, is deleted")
    if world.link(link.master) is not None:
        follow_ports(world, link.master)
        follow_macs(world, link.master)
    settle(world, reason)


EVERY_BRIDGE = "hello_time"
"""An option that is printed of every bridge, and so is known of each that was recorded."""
PORT_OPTIONS = frozenset(
    {
        "hairpin",
        "guard",
        "root_block",
        "fastleave",
        "port_learning",
        "flood",
        "cost",
        "proxy_arp",
        "proxy_arp_wifi",
        "multicast_router",
        "mcast_flood",
        "bcast_flood",
        "mcast_to_unicast",
        "neigh_suppress",
        "vlan_tunnel",
        "isolated",
        "locked",
        "mab",
        "priority",
        "group_fwd_mask",
        "mcast_max_groups",
        "neigh_vlan_suppress",
        "backup_port",
    }
)


def without_port_options(link: Link) -> dict[str, str]:
    """The options of a link that is no longer a port."""
    if link.kind == "bridge":
        return link.options
    return {key: value for key, value in link.options.items() if key not in PORT_OPTIONS}


def register(world: World, link: Link) -> None:
    """A new link: it appears, with sysctl keys copied from `default`."""
    world.links.append(link)
    world.tell(f"link/{link.name}")
    because = f"a new link gets the values of conf.default, and {link.name} is new"
    make_keys(world, link, because, families=("ipv4", "ipv6") if link.mtu >= MINIMUM_MTU6 else ("ipv4",))


def make_keys(world: World, link: Link, because: str, *, families: tuple[str, ...]) -> None:
    """Copy `default` to the keys of a link (net/ipv4/devinet.c, inetdev_init; net/ipv6/addrconf.c, ipv6_add_dev)."""
    name = sysctl_name(link.name)
    for family in families:
        for group in ("conf", "neigh"):
            source = f"net.{family}.{group}.default."
            if group == "neigh" and not any(key.startswith(source) for key in world.sysctls):
                # Only the first namespace shows neigh.default; the loopback link was made of it.
                source = f"net.{family}.neigh.lo."
            for key, value in sorted(world.sysctls.items()):
                option = key.removeprefix(source)
                if (
                    key.startswith(source) and not option.startswith("gc_")
                ) or key == source + "gc_stale_time":
                    world.set_sysctl(f"net.{family}.{group}.{name}.{option}", value, because)
        if family == "ipv6" and f"net.ipv6.conf.{name}.mtu" in world.sysctls:
            world.set_sysctl(
                f"net.ipv6.conf.{name}.mtu", str(link.mtu), f"the IPv6 MTU of {link.name} is its own"
            )


def change_mtu(world: World, name: str, mtu: int, because: str = "", *, cause: Cause | None = None) -> None:
    """A link's MTU: IPv6 ends below 1280 and starts anew above it."""
    link = world.need_link(name)
    if link.mtu == mtu:
        return
    key = sysctl_name(name)
    if mtu < MINIMUM_MTU6 <= link.mtu:
        reason = f"below an MTU of {MINIMUM_MTU6} {name} has no IPv6"
        stop_ipv6(world, name, reason, keep=False)
        world.drop_sysctls((part.format(key) for part in UNUSABLE_BELOW), reason)
        link = world.need_link(name)
    changed = world.put_link(link.model_copy(update={"mtu": mtu}), "mtu", because, cause=cause)
    if link.mtu < MINIMUM_MTU6 <= mtu:
        reason = f"with an MTU of {mtu} {name} has IPv6 again"
        make_keys(world, changed, reason, families=("ipv6",))
        if changed.up and changed.carrier:
            start_ipv6(world, name, reason)
    elif f"net.ipv6.conf.{key}.mtu" in world.sysctls:
        world.set_sysctl(f"net.ipv6.conf.{key}.mtu", str(mtu), f"the IPv6 MTU of {name} follows its MTU")
    if link.master:
        follow_ports(world, link.master)
    for upper in [
        other for other in world.links if other.lower == name and other.kind in STACKED and other.mtu > mtu
    ]:
        change_mtu(world, upper.name, mtu, f"{upper.name} cannot be larger than {name} below it")


def follow_ports(world: World, name: str) -> None:
    """A bridge whose MTU nobody set takes the smallest of its ports (net/bridge/br_if.c, br_mtu_auto_adjust)."""
    bridge = world.link(name)
    if bridge is None or bridge.kind != "bridge":
        return
    before = [port.mtu for port in world.before.links if port.master == name]
    original = world.before.link(name)
    followed = original is None or original.mtu == (min(before) if before else 1500)
    now = [port.mtu for port in world.links if port.master == name]
    smallest = min(now) if now else 1500
    if followed and smallest != bridge.mtu:
        because = f"{name} takes the smallest MTU of its ports, unless someone had set its own"
        change_mtu(
            world, name, smallest, because, cause=Cause.MAYBE if original is not None else Cause.KERNEL
        )


def follow_macs(world: World, name: str) -> None:
    """A bridge whose address nobody set takes the smallest of its ports (net/bridge/br_stp_if.c)."""
    bridge = world.need_link(name)
    ports = sorted(port.mac for port in world.links if port.master == name and port.mac)
    if bridge.kind != "bridge" or not ports or bridge.mac == ports[0]:
        return
    original = world.before.link(name)
    before = sorted(port.mac for port in world.before.links if port.master == name and port.mac)
    if not bridge.mac or (original is not None and before and original.mac == before[0]):
        world.put_link(
            bridge.model_copy(update={"mac": ports[0]}),
            "mac",
            f"{name} takes the smallest address of its ports, as nobody set its own",
        )
    elif original is not None and not before:
        world.tell(
            f"link/{name}/mac",
            f"{name} takes the smallest address of its ports, unless someone had set its own",
            cause=Cause.MAYBE,
        )

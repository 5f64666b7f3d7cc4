"""`ip address add|change|replace|delete|flush`."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from planner.iproute.connected import local6, multicast6, prefix6, subnet
from planner.iproute.events import (
    add_kernel_route,
    addresses_lost4,
    drop_kernel_route,
    has_ipv6,
    insert6,
    update_routes4,
)
from planner.iproute.world import NotModelledError, RefusedError, World, sysctl_name
from planner.models.link import Address, Link
from planner.parse.ip_names import NotUnderstoodError, address_text, number_of, prefix_text
from planner.parse.ip_words import Words

FLAGS = frozenset({"home", "nodad", "mngtmpaddr", "noprefixroute", "autojoin", "optimistic", "mcautojoin"})


@dataclass(slots=True)
class _Wanted:
    """The words of a command."""

    local: str = ""
    length: int | None = None
    link: str = ""
    values: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)


def _read(words: Sequence[str]) -> _Wanted:
    wanted = _Wanted()
    cursor = Words(words)
    while cursor.more():
        word = cursor.take()
        match word:
            case "dev":
                wanted.link = cursor.take(word)
            case (
                "peer"
                | "remote"
                | "broadcast"
                | "brd"
                | "label"
                | "scope"
                | "metric"
                | "priority"
                | "preference"
                | "anycast"
            ):
                name = {
                    "remote": "peer",
                    "broadcast": "brd",
                    "priority": "metric",
                    "preference": "metric",
                }.get(word, word)
                wanted.values[name] = cursor.take(word)
            case "valid_lft" | "preferred_lft" | "proto":
                wanted.values[word] = cursor.take(word)
            case _ if word in FLAGS:
                wanted.flags.add(word)
            case _ if "dynamic".startswith(word) or "permanent".startswith(word) or word.startswith("-"):
                raise NotModelledError(f"`{word}` of `ip address`")
            case _:
                if word == "local":
                    word = cursor.take(word)
                if wanted.local:
                    raise RefusedError(f'Error: either "local" is duplicate, or "{word}" is a garbage.')
                _take_local(wanted, word)
    return wanted


def _take_local(wanted: _Wanted, word: str) -> None:
    try:
        text = prefix_text(word, "ip6" if ":" in word else "ip")
    except NotUnderstoodError as error:
        raise RefusedError(f'Error: any valid prefix is expected rather than "{word}".') from error
    address, _, length = text.partition("/")
    if ":" not in word and word.partition("/")[0].count(".") != 3:
        raise RefusedError(f'Error: any valid prefix is expected rather than "{word}".')
    wanted.local = address
    wanted.length = int(length) if "/" in word else None


def run_address(world: World, action: str, words: Sequence[str], family: str) -> None:
    """One command; what it cannot do is raised."""
    if action == "flush":
        flush(world, words, family)
        return
    wanted = _read(words)
    if not wanted.link:
        raise RefusedError('Not enough information: "dev" argument is required.')
    link = world.need_link(wanted.link)
    if not wanted.local:
        raise NotModelledError("`ip address` without an address")
    if action == "delete":
        delete(world, link, wanted)
        return
    address = build(wanted, link)
    existing = next((other for other in link.addresses if _same(other, address)), None)
    if existing is not None:
        if action == "add":
            raise RefusedError(
                "Error: ipv4: Address already assigned."
                if address.family == "ip"
                else "Error: ipv6: address already assigned."
            )
        modify(world, link, existing, address)
    elif action == "change":
        raise RefusedError("RTNETLINK answers: No such file or directory")
    else:
        add(world, link, address)


def _same(left: Address, right: Address) -> bool:
    if left.family == "ip6" or right.family == "ip6":
        return left.address == right.address
    return (left.address, left.length) == (right.address, right.length) and subnet(left) == subnet(right)


def build(wanted: _Wanted, link: Link) -> Address:
    """The address of the words, with the defaults of iproute2 (ip/ipaddress.c, ipaddr_modify)."""
    six = ":" in wanted.local
    values = wanted.values
    peer, slash, length = values.get("peer", "").partition("/")
    size = number_of(length) if slash else wanted.length
    full = 128 if six else 32
    size = full if size is None else size
    parsed = ipaddress.ip_address(wanted.local)
    scope = "link" if six and parsed.is_link_local else "host" if not six and parsed.is_loopback else "global"
    if six and parsed.is_loopback:
        scope = "host"
    broadcast = values.get("brd", "")
    if broadcast in {"+", "-"}:
        network = ipaddress.ip_network(f"{wanted.local}/{size}", strict=False)
        broadcast = str(network.broadcast_address if broadcast == "+" else network.network_address)
    elif broadcast:
        broadcast = address_text(broadcast)
    label = values.get("label", "")
    metric = values.get("metric")
    return Address(
        address=wanted.local,
        length=size,
        scope=scope if six else values.get("scope", scope),
        peer=address_text(peer) if peer and peer != wanted.local else "",
        broadcast=broadcast,
        label=label if label != link.name else "",
        dynamic=values.get("valid_lft", "forever") != "forever",
        noprefixroute="noprefixroute" in wanted.flags,
        metric=number_of(metric) if metric else None,
        deprecated=values.get("preferred_lft") in {"0", "0sec"},
    )


def add(world: World, link: Link, address: Address) -> None:
    """Put an address where the kernel puts it, and let it make its routes."""
    what = f"link/{link.name}/address/{address.prefix}"
    because = f"{address.prefix} is new on {link.name}: the kernel adds its routes"
    if address.family == "ip":
        after = world.put_link(
            link.model_copy(update={"addresses": insert4(link, address)}), f"address/{address.prefix}"
        )
        update_routes4(world, link, after, because)
        return
    if not has_ipv6(world, link):
        raise RefusedError(
            "Error: IPv6 is disabled on this device."
            if link.mtu >= 1280
            else "RTNETLINK answers: No buffer space available"
        )
    after = world.put_link(insert6(link, address), f"address/{address.prefix}")
    add_kernel_route(world, local6(after, address), because)
    if after.up:
        # The multicast range comes with an address too, even without carrier (net/ipv6/addrconf.c, addrconf_add_dev).
        for route in (*prefix6(after, address), multicast6(after)):
            add_kernel_route(world, route, because)
    if any(effect.what == what for effect in world.effects) and address.dynamic:
        world.gap(f"links/{link.name}", f"{address.prefix} has a lifetime and goes by itself")


def insert4(link: Link, address: Address) -> tuple[Address, ...]:
    """IPv4 order: primaries by scope before secondaries (net/ipv4/devinet.c, __inet_insert_ifa)."""
    order = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
    four = [other for other in link.addresses if other.family == "ip"]
    six = [other for other in link.addresses if other.family != "ip"]
    secondary = any(
        not other.secondary and other.length == address.length and _covers(other, address) for other in four
    )
    at = 0
    for index, other in enumerate(four):
        if not other.secondary and order.get(address.scope, 0) <= order.get(other.scope, 0):
            at = index + 1
    if secondary:
        at = len(four)
    return (*four[:at], address.model_copy(update={"secondary": secondary}), *four[at:], *six)


def _covers(primary: Address, address: Address) -> bool:
    return ipaddress.ip_address(address.peer or address.address) in ipaddress.ip_network(subnet(primary))


def modify(world: World, link: Link, old: Address, new: Address) -> None:
    """Lifetimes, metric and the prefix route of an address that exists; the rest stays as it was."""
    kept = old.model_copy(
        update={
            "noprefixroute": new.noprefixroute,
            "metric": new.metric if new.metric is not None else old.metric,
            "dynamic": new.dynamic,
            "deprecated": new.deprecated,
        }
    )
    after = world.put_link(
        link.model_copy(
            update={"addresses": tuple(kept if other is old else other for other in link.addresses)}
        ),
        f"address/{kept.prefix}",
    )
    because = f"{kept.prefix} changed on {link.name}"
    if kept.family == "ip":
        update_routes4(world, link, after, because)
        return
    for route in prefix6(link, old):
        if route not in prefix6(after, kept):
            drop_kernel_route(world, route, because)
    if after.up:
        for route in prefix6(after, kept):
            add_kernel_route(world, route, because)


def delete(world: World, link: Link, wanted: _Wanted) -> None:
    """Take an address away, and what the kernel takes with it."""
    family = "ip6" if ":" in wanted.local else "ip"
    peer = wanted.values.get("peer", "").partition("/")[0]
    for address in link.addresses:
        if address.address != wanted.local or (wanted.length not in {None, address.length} and not peer):
            continue
        if peer and address_text(peer) not in {address.peer, address.address}:
            continue
        remove(world, link.name, address)
        return
    raise RefusedError(
        "Error: ipv4: Address not found." if family == "ip" else "Error: ipv6: address not found."
    )


def remove(world: World, name: str, address: Address) -> None:
    """One address goes (net/ipv4/devinet.c, __inet_del_ifa; net/ipv6/addrconf.c, ipv6_del_addr)."""
    link = world.need_link(name)
    because = f"{address.prefix} is gone from {name}"
    if address.family == "ip6":
        rest = tuple(other for other in link.addresses if other != address)
        after = world.put_link(link.model_copy(update={"addresses": rest}), f"address/{address.prefix}")
        drop_kernel_route(world, local6(link, address), because)
        still = {route.prefix for other in rest if other.family == "ip6" for route in prefix6(after, other)}
        for route in prefix6(link, address):
            if route.prefix not in still:
                drop_kernel_route(world, route, because)
        for route in [
            route for route in world.routes if route.family == "ip6" and route.source == address.address
        ]:
            world.replace_route(
                route,
                route.model_copy(update={"source": ""}),
                f"{because}, which the route had as its source",
            )
        return
    gone = [address]
    rest = tuple(other for other in link.addresses if other != address)
    if not address.secondary:
        followers = [
            other
            for other in rest
            if other.secondary and other.length == address.length and _covers(address, other)
        ]
        if followers and promotes(world, name):
            rest = promoted(rest, followers[0])
            world.tell(
                f"link/{name}/address/{followers[0].prefix}",
                f"{because}: promote_secondaries makes {followers[0].prefix} the primary",
            )
        else:
            gone += followers
            rest = tuple(other for other in rest if other not in followers)
    after = world.put_link(link.model_copy(update={"addresses": rest}), f"address/{address.prefix}")
    for other in gone[1:]:
        world.tell(
            f"link/{name}/address/{other.prefix}",
            f"{because}, the primary address of its subnet, and promote_secondaries is off",
        )
    update_routes4(world, link, after, because)
    addresses_lost4(world, link, tuple(gone))


def promoted(rest: tuple[Address, ...], first: Address) -> tuple[Address, ...]:
    """The first secondary becomes the primary, after the last primary."""
    new = first.model_copy(update={"secondary": False})
    others = tuple(other for other in rest if other is not first)
    at = 0
    for index, other in enumerate(others):
        if other.family == "ip" and not other.secondary:
            at = index + 1
    return (*others[:at], new, *others[at:])


def promotes(world: World, name: str) -> bool:
    """promote_secondaries: `all` or the link's own (IN_DEV_ORCONF, include/linux/inetdevice.h)."""
    keys = (f"net.ipv4.conf.{part}.promote_secondaries" for part in ("all", sysctl_name(name)))
    return any(world.sysctls.get(key, "0") != "0" for key in keys)


def flush(world: World, words: Sequence[str], family: str) -> None:
    """`ip address flush [dev LINK] [scope SCOPE] [label PATTERN]`."""
    chosen: dict[str, str] = {}
    cursor = Words(words)
    while cursor.more():
        word = cursor.take()
        if word in {"dev", "scope", "to", "label"} and cursor.more():
            chosen[word] = cursor.take(word)
        elif world.link(word) is not None and "dev" not in chosen:
            chosen["dev"] = word
        else:
            raise NotModelledError(f"`{word}` of `ip address flush`")
    if not chosen:
        raise RefusedError("Flush requires arguments.")
    if set(chosen) - {"dev", "scope"}:
        raise NotModelledError("`ip address flush` by prefix or label")
    names = [world.need_link(chosen["dev"]).name] if "dev" in chosen else [link.name for link in world.links]
    for name in names:
        for address in world.need_link(name).addresses:
            if (not family or address.family == family) and chosen.get(
                "scope", address.scope
            ) == address.scope:
                current = world.need_link(name)
                still = next((other for other in current.addresses if other.prefix == address.prefix), None)
                if still is not None:
                    remove(world, name, still)

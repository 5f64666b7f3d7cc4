"""Links that came, went or differ in a field."""

import ipaddress
from collections.abc import Iterator

from planner.models.change import LinkChange
from planner.models.link import Address, Link
from planner.models.node import NodeState

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
        "neigh_vlan_suppress",
        "vlan_tunnel",
        "isolated",
        "locked",
        "mab",
        "priority",
        "group_fwd_mask",
        "mcast_max_groups",
        "queue_id",
        "prio",
        "table",
    }
)
"""Options that a link has because it is a port: they come and go with its master."""


def diff_links(before: NodeState, after: NodeState) -> Iterator[LinkChange]:
    """Sorted by link, the link itself before its fields. Indexes, carrier and operational state are never compared."""
    node = after.name
    old, new = ({link.name: link for link in state.links} for state in (before, after))
    for name in sorted(old.keys() | new.keys()):
        left, right = old.get(name), new.get(name)
        if left is not None and right is not None:
            for field, was, now in (*_fields(left, right), *_options(left, right)):
                yield LinkChange(node=node, link=name, field=field, before=was, after=now)
        else:
            yield LinkChange(
                node=node,
                link=name,
                before=describe(left) if left else None,
                after=describe(right) if right else None,
                removed=left,
            )
        for was, now in _addresses(left, right):
            yield LinkChange(node=node, link=name, field="address", before=was, after=now)


def describe(link: Link) -> str:
    """A link in a few words: `vxlan mtu 1450 up`."""
    words = [link.kind or "physical", f"mtu {link.mtu}"]
    if link.master:
        words.append(f"master {link.master}")
    words.append("up" if link.up else "down")
    return " ".join(words)


def _fields(left: Link, right: Link) -> Iterator[tuple[str, str | None, str | None]]:
    # An empty kind or hardware address and a missing queue length are not printed or not predictable: no difference.
    if left.kind and right.kind and left.kind != right.kind:
        yield "kind", left.kind, right.kind
    if left.mac and right.mac and left.mac != right.mac:
        yield "mac", left.mac, right.mac
    if left.up != right.up:
        yield "up", _state(left), _state(right)
    if left.mtu != right.mtu:
        yield "mtu", str(left.mtu), str(right.mtu)
    for field, was, now in (
        ("master", left.master, right.master),
        ("lower", left.lower, right.lower),
        ("group", left.group, right.group),
        ("alias", left.alias, right.alias),
        ("altnames", " ".join(left.altnames), " ".join(right.altnames)),
        ("xdp", "on" if left.xdp else "", "on" if right.xdp else ""),
    ):
        if was != now:
            yield field, was or None, now or None
    if left.txqueuelen is not None and right.txqueuelen is not None and left.txqueuelen != right.txqueuelen:
        yield "txqueuelen", str(left.txqueuelen), str(right.txqueuelen)


def _state(link: Link) -> str:
    return "up" if link.up else "down"


def _options(left: Link, right: Link) -> Iterator[tuple[str, str | None, str | None]]:
    if bool(left.kind) != bool(right.kind):
        return  # One side was printed without details.
    # They follow from the change of the master; and a link that a proposal has made a port again has what nobody has said.
    apart = left.master != right.master or _is_bare_port(left) or _is_bare_port(right)
    for name in sorted(left.options.keys() | right.options.keys()):
        if apart and name in PORT_OPTIONS:
            continue
        was, now = left.options.get(name), right.options.get(name)
        if was != now:
            yield f"options/{name}", was, now


def _is_bare_port(link: Link) -> bool:
    """Whether it is a port none of whose options is known: a tool that prints details prints them."""
    return bool(link.master) and not PORT_OPTIONS & link.options.keys()


def _words(address: Address) -> str:
    words = [address.prefix]
    words += [f"peer {address.peer}"] if address.peer else []
    words += [f"brd {address.broadcast}"] if address.broadcast else []
    words += [f"scope {address.scope}"] if address.scope != "global" else []
    words += ["secondary"] if address.secondary else []
    words += ["noprefixroute"] if address.noprefixroute else []
    words += ["deprecated"] if address.deprecated else []
    words += [f"metric {address.metric}"] if address.metric else []
    words += [f"label {address.label}"] if address.label else []
    return " ".join(words)


def _addresses(left: Link | None, right: Link | None) -> Iterator[tuple[str | None, str | None]]:
    """Addresses by prefix; a link-local one that comes or goes with its link says nothing of its own."""
    whole = left is None or right is None
    old, new = (
        {
            (address.prefix, address.peer): _words(address)
            for address in (link.addresses if link else ())
            if not (whole and _is_link_local(address))
        }
        for link in (left, right)
    )
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield old.get(key), new.get(key)


def _is_link_local(address: Address) -> bool:
    return address.family == "ip6" and ipaddress.ip_address(address.address).is_link_local

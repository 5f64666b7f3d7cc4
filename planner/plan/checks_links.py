"""Facets of links: MTU, address of the hardware, state, master, addresses, permanent neighbours."""

from collections.abc import Sequence
from ipaddress import ip_interface

from planner.emit.script import quote
from planner.models.link import Link, Neighbour
from planner.models.node import NodeState
from planner.plan.facet import Facet, shell, value_facet


def link_facets(before: NodeState, after: NodeState) -> tuple[Facet, ...]:
    """What differs of links and of permanent neighbours."""
    found: list[Facet] = []
    for name in sorted({link.name for state in (before, after) for link in state.links}):
        old, new = before.link(name), after.link(name)
        if old != new:
            found += _link(name, old, new)
    return (*found, *_neighbours(before, after))


def _link(name: str, old: Link | None, new: Link | None) -> list[Facet]:
    place = f"/sys/class/net/{name}"
    both = [
        value_facet(
            f"MTU of {name}",
            ("cat", f"{place}/mtu"),
            str(old.mtu) if old else None,
            str(new.mtu) if new else None,
        ),
        value_facet(
            f"{name}, counted when it is up,",
            shell(f"ip -o link show dev {quote(name)} up 2>/dev/null | grep -c ."),
            _one(old is not None and old.up),
            _one(new is not None and new.up),
        ),
        value_facet(
            f"master of {name}",
            shell(f'basename "$(readlink {quote(place + "/master")})"'),
            (old.master or None) if old else None,
            (new.master or None) if new else None,
        ),
        _address_facet(name, old, new),
    ]
    macs = [link.mac if link else None for link in (old, new)]
    if "" not in macs:
        both.append(value_facet(f"hardware address of {name}", ("cat", f"{place}/address"), *macs))
    return [facet for facet in both if facet.before != facet.after]


def _one(true: bool) -> str:  # noqa: FBT001 - a private conversion
    return "1" if true else "0"


def _address_facet(name: str, old: Link | None, new: Link | None) -> Facet:
    # Link-local addresses come from the kernel and may be random. Of IPv4 the order decides which is primary; of
    # IPv6 the newest comes first, whatever is done.
    show = rf"ip -o -4 addr show dev {quote(name)}"
    four = r"sed -n 's/^.* \(inet\) \([^ ]*\) .*$/\1 \2/p'"
    read = (
        rf"{show} 2>/dev/null | {four}; "
        rf"ip -o -6 addr show dev {quote(name)} 2>/dev/null | "
        r"sed -n -e '/ inet6 fe80:/d' -e 's/^.* \(inet6\) \([^ ]*\) .*$/\1 \2/p' | LC_ALL=C sort"
    )
    facet = value_facet(
        f"addresses of {name}", shell(read), *(" ".join(_addresses(side)) or None for side in (old, new))
    )
    sides = [_addresses(side) for side in (old, new)]
    known = sorted({*sides[0], *sides[1]})
    if old is None or new is None or not known:
        return facet
    # Where only the order differs, all of them are the step's.
    own = {*sides[0]} ^ {*sides[1]} or {*known}
    texts = (" ".join(address for address in side if address in own) for side in sides)
    # Taking back a primary address takes the secondary ones of its prefix along (net/ipv4/devinet.c, __inet_del_ifa):
    # those of others are no bystanders then.
    prefixes = dict.fromkeys(
        str(ip_interface(address.prefix).network)
        for address in new.addresses
        if address.family == "ip" and not address.secondary and f"inet {address.prefix}" in own
    )
    hangers = "".join(
        f"; {show} secondary to {quote(prefix)} 2>/dev/null | {four} | grep -vxF {_each(known)}"
        for prefix in prefixes
    )
    return facet.with_own(shell(f"{{ {read}; }} | grep -xF {_each(sorted(own))}{hangers}"), *texts)


def _each(lines: Sequence[str]) -> str:
    return " ".join(f"-e {quote(line)}" for line in lines)


def _addresses(link: Link | None) -> tuple[str, ...]:
    if link is None:
        return ()
    four, six = (
        [
            f"{word} {address.address if address.peer else address.prefix}"
            for address in link.addresses
            if address.family == family and not address.address.startswith("fe80:")
        ]
        for family, word in (("ip", "inet"), ("ip6", "inet6"))
    )
    return (*four, *sorted(six))


def _neighbours(before: NodeState, after: NodeState) -> list[Facet]:
    have, want = _permanent(before), _permanent(after)
    return [
        value_facet(
            f"permanent neighbour {address} on {link}",
            shell(
                f"ip -o neigh show to {quote(address)} dev {quote(link)} nud permanent 2>/dev/null | "
                r"sed -n 's/^.* lladdr \([^ ]*\).*$/\1/p'"
            ),
            have.get((address, link)),
            want.get((address, link)),
        )
        for address, link in sorted(have.keys() | want.keys())
        if have.get((address, link)) != want.get((address, link))
    ]


def _permanent(state: NodeState) -> dict[tuple[str, str], str]:
    entries: tuple[Neighbour, ...] = state.neighbours
    return {
        (entry.address, entry.link): entry.mac for entry in entries if entry.permanent and not entry.proxy
    }

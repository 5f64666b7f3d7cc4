"""Writes that bring running sysctls back, in an order in which none disturbs an earlier one."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from planner.models.node import NodeState
from planner.sysctls.catalogue import Takes, Template, lookup
from planner.sysctls.names import ALL, DEFAULT, NEIGHBOUR_TWINS, TWINS, LinkKey, conf, link_key
from planner.sysctls.numbers import number, numbers, same_value

IP_FORWARD = "net.ipv4.ip_forward"
REDIRECTS = conf("ipv4", ALL, "accept_redirects")
BOUNDED = (
    ("net.ipv4.ipfrag_low_thresh", "net.ipv4.ipfrag_high_thresh"),
    ("net.ipv6.ip6frag_low_thresh", "net.ipv6.ip6frag_high_thresh"),
    ("net.netfilter.nf_conntrack_frag6_low_thresh", "net.netfilter.nf_conntrack_frag6_high_thresh"),
    ("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_port_range"),
    ("net.ipv4.tcp_reordering", "net.ipv4.tcp_max_reordering"),
)
"""The first may never be above the second."""
COPIED_TO_LINKS = ("forwarding", "disable_ipv6", "addr_gen_mode", "ignore_routes_with_linkdown")
DERIVED = frozenset({"mtu"})
"""Values of a link that follow from the link itself."""
VOLATILE = frozenset({"net.netfilter.nf_conntrack_count"})


def restore_writes(have: NodeState, want: NodeState) -> tuple[tuple[str, str], ...]:
    """Key and value of each write, in order: `have` then holds the values of `want`.

    What copies to other keys comes first (ip_forward, then `all`, then `default`), the keys it disturbs are written
    again after it, and conf.all.accept_redirects, which ip_forward flips, comes last. Keys that do not exist in
    both states, and addresses and routes that a write removed, are not restored by writes.
    """
    changed = [
        key
        for key, value in want.sysctls.items()
        if have.sysctls.get(key, value) != value and not same_value(have.sysctls[key], value)
    ]
    if not changed:
        return ()
    common = have.sysctls.keys() & want.sysctls.keys()
    differs = {key for key in changed if _writable(key, common)}
    disturbed = set(_disturbed(differs, want))
    wanted = differs | disturbed
    ordered = sorted(wanted, key=lambda key: (_rank(key), key))
    return tuple((key, want.sysctls[key]) for key in _bounded_in_order(ordered, have, want))


def returned_writes(have: NodeState, want: NodeState) -> tuple[tuple[str, str], ...]:
    """Writes for what comes back with a link, or with IPv6 on it, once `have` has these again as in `want`.

    The kernel fills them from `default` (net/ipv4/devinet.c, inetdev_init; net/ipv6/addrconf.c, ipv6_add_dev), which holds what
    it has in `want` by then.
    """
    links = {link.name for link in want.links}
    keys = sorted(want.sysctls.keys() - have.sysctls.keys())
    every = want.sysctls.keys()
    found = [
        key
        for key in keys
        if (parts := link_key(key)) is not None
        and parts.link in links
        and parts.knob not in DERIVED
        and not _as_default(want, key, parts)
        and _writable(key, every)
    ]
    return tuple((key, want.sysctls[key]) for key in sorted(found, key=lambda key: (_rank(key), key)))


def _as_default(want: NodeState, key: str, parts: LinkKey) -> bool:
    default = want.sysctls.get(parts.default)
    if default is None and (fact := lookup(key)) is not None:
        # `neigh.default` belongs to the whole machine, and is not shown in a network namespace.
        default = fact.default(key)
    return default is not None and same_value(default, want.sysctls[key])


def _writable(key: str, common: AbstractSet[str]) -> bool:
    """Not read-only, and not the second name of something that is written under its first name."""
    fact = lookup(key)
    if key in VOLATILE or (fact is not None and fact.takes_effect is Takes.READ_ONLY):
        return False
    twin = TWINS.get(key)
    if twin is not None and twin in common:
        return False
    if key == "net.mptcp.pm_type" and "net.mptcp.path_manager" in common:
        return False
    parts = link_key(key)
    if parts is not None and parts.group == "neigh" and parts.knob in NEIGHBOUR_TWINS:
        return str(LinkKey(parts.family, parts.group, parts.link, NEIGHBOUR_TWINS[parts.knob])) not in common
    return not (parts is not None and parts.link == ALL and parts.knob == "stable_secret")


def _rank(key: str) -> int:
    if key == REDIRECTS:
        return 9
    parts = link_key(key)
    if parts is None:
        return 0 if key == IP_FORWARD else 2
    if parts.link == ALL:
        return 0 if parts.knob in COPIED_TO_LINKS else 1
    if parts.knob == "stable_secret":
        return 3 if parts.link == DEFAULT else 5
    return 4 if parts.link == DEFAULT else 6


def _disturbed(differs: set[str], want: NodeState) -> Iterator[str]:
    """Keys that already are, or would be, right, and that one of the writes changes."""
    links = sorted({p.link for k in want.sysctls if (p := link_key(k)) is not None and p.real})
    for key in sorted(differs):
        value = want.sysctls[key]
        parts = link_key(key)
        if key == IP_FORWARD or (parts is not None and key == conf("ipv4", ALL, "forwarding")):
            flipped = "0" if number(value) else "1"
            yield from _unlike(want, [REDIRECTS], flipped)
            yield from _unlike(want, [conf("ipv4", x, "forwarding") for x in (DEFAULT, *links)], value)
        elif parts is None:
            continue
        elif parts.family == "ipv6" and parts.link == ALL and parts.knob in COPIED_TO_LINKS:
            yield from _unlike(want, [conf("ipv6", x, parts.knob) for x in (DEFAULT, *links)], value)
            if parts.knob == "forwarding" and not number(value):
                yield from _unlike(want, [conf("ipv6", x, "force_forwarding") for x in links], "0")
        elif parts.family == "ipv6" and parts.link == ALL and parts.knob == "force_forwarding":
            yield from _unlike(want, [conf("ipv6", x, parts.knob) for x in links], value)
        elif parts.link == DEFAULT and _copies_default(key):
            copies = [str(LinkKey(parts.family, parts.group, x, parts.knob)) for x in links]
            yield from _unlike(want, copies, value)
        elif parts.knob == "stable_secret":
            targets = links if parts.link == DEFAULT else [parts.link]
            yield from _unlike(want, [conf("ipv6", x, "addr_gen_mode") for x in targets], "2")


def _unlike(want: NodeState, keys: list[str], value: str) -> Iterator[str]:
    for key in keys:
        if key in want.sysctls and not same_value(want.sysctls[key], value):
            yield key


def _copies_default(key: str) -> bool:
    fact = lookup(key)
    return fact is not None and fact.template in {Template.IPV4_DEFAULT_COPIES, Template.NEIGHBOUR}


def _bounded_in_order(ordered: list[str], have: NodeState, want: NodeState) -> list[str]:
    """Of two keys that bound each other: upwards the upper one first, downwards the lower one first."""
    result = list(ordered)
    for lower, upper in BOUNDED:
        if lower in result and upper in result:
            first, second = (lower, upper) if _goes_down(lower, have, want) else (upper, lower)
            result.remove(second)
            result.insert(result.index(first) + 1, second)
    return result


def _goes_down(key: str, have: NodeState, want: NodeState) -> bool:
    old, new = numbers(have.sysctls[key]), numbers(want.sysctls[key])
    return bool(old and new and new[0] < old[0])

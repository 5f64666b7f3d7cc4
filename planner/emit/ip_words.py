"""One command for one route, policy rule, address, neighbour, forwarding entry or nexthop object."""

from planner.models.link import Address, ForwardingEntry, Neighbour
from planner.models.route import NextHop, NextHopObject, PolicyRule, Route

FAMILY = {"ip": "-4", "ip6": "-6"}
INET = {"ip": "inet", "ip6": "inet6"}
FLAT = frozenset({"pervasive"})
"""Options of a route that no command sets."""


def _hop(hop: NextHop) -> tuple[str, ...]:
    words: list[str] = []
    if hop.encap:
        words += ["encap", *hop.encap.split()]
    if hop.via:
        words += ["via", *([INET[hop.via_family]] if hop.via_family in INET else []), hop.via]
    if hop.link:
        words += ["dev", hop.link]
    if hop.onlink:
        words.append("onlink")
    return tuple(words)


def route_command(action: str, route: Route) -> tuple[str, ...]:
    """`ip route ACTION …` with table, protocol, scope and metric said.

    `action` is add, append, replace, change or del. Options come before the next hops: `ip` takes nothing after them.
    """
    words = ["ip", FAMILY[route.family], "route", action]
    words += [route.type, route.prefix, "table", route.table]
    if route.tos != "0":
        words += ["tos", route.tos]
    if route.protocol and route.protocol != "unspec":
        words += ["proto", route.protocol]
    if route.family == "ip" and route.scope:
        words += ["scope", route.scope]
    if route.metric or route.family == "ip6":
        words += ["metric", str(route.metric)]
    if route.source:
        words += ["src", route.source]
    if action != "del":
        words += _metrics(route)
    if route.nexthop_id is not None:
        words += ["nhid", str(route.nexthop_id)]
    elif len(route.nexthops) == 1:
        words += _hop(route.nexthops[0])
    else:
        for hop in route.nexthops:
            words += ["nexthop", *_hop(hop), "weight", str(hop.weight)]
    return tuple(words)


def _metrics(route: Route) -> list[str]:
    words: list[str] = []
    locked = route.options.get("lock", "").split(",")
    for name, value in (("mtu", route.mtu), ("advmss", route.advmss)):
        if value is not None:
            words += [name, *(["lock"] if name in locked else []), str(value)]
    for name, text in sorted(route.options.items()):
        if name != "lock" and name not in FLAT:
            words += [name, *(["lock"] if name in locked else []), text]
    return words


def rule_command(action: str, rule: PolicyRule) -> tuple[str, ...]:
    """`ip rule add|del …` with everything that tells the rule from others."""
    words = ["ip", FAMILY[rule.family], "rule", action, "pref", str(rule.preference)]
    if rule.inverted:
        words.append("not")
    words += ["from", rule.source or "all"]
    for name, value in (
        ("to", rule.destination),
        ("iif", rule.iif),
        ("oif", rule.oif),
        ("fwmark", rule.fwmark),
        ("tos", rule.tos),
        ("ipproto", rule.ipproto),
        ("sport", rule.sport),
        ("dport", rule.dport),
        ("uidrange", rule.uidrange),
    ):
        if value:
            words += [name, value]
    for name, value in sorted(rule.options.items()):
        words += [name, value] if value else [name]
    if rule.protocol and rule.protocol != "unspec":
        words += ["protocol", rule.protocol]
    if rule.action == "goto":
        words += ["goto", str(rule.goto)]
    elif rule.action != "lookup":
        words += [rule.action] if rule.action == "nop" else ["type", rule.action]
    elif rule.table:
        words += ["table", rule.table]
    if rule.suppress_prefixlength is not None:
        words += ["suppress_prefixlength", str(rule.suppress_prefixlength)]
    if rule.suppress_ifgroup:
        words += ["suppress_ifgroup", rule.suppress_ifgroup]
    return tuple(words)


def address_command(action: str, address: Address, link: str) -> tuple[str, ...]:
    """`ip address add|replace|del …`; IPv6 without duplicate detection, as the address was in use."""
    words = ["ip", FAMILY[address.family], "address", action]
    if address.peer:
        words += [address.address, "peer", f"{address.peer}/{address.length}"]
    else:
        words.append(address.prefix)
    words += ["dev", link]
    if action == "del":
        return tuple(words)
    if address.broadcast:
        words += ["broadcast", address.broadcast]
    if address.family == "ip":
        words += ["scope", address.scope]
        words += ["label", address.label] if address.label else []
    else:
        words.append("nodad")
    if address.noprefixroute:
        words.append("noprefixroute")
    if address.metric is not None:
        words += ["metric", str(address.metric)]
    if address.deprecated:
        words += ["preferred_lft", "0"]
    return tuple(words)


def neighbour_command(action: str, entry: Neighbour) -> tuple[str, ...]:
    """`ip neighbour add|replace|del …` for a permanent or a proxy entry."""
    if entry.proxy:
        return ("ip", "neighbour", action, "proxy", entry.address, "dev", entry.link)
    words = ["ip", "neighbour", action, "to", entry.address]
    if entry.mac and action != "del":
        words += ["lladdr", entry.mac]
    words += ["dev", entry.link]
    if action != "del":
        words += ["nud", "permanent"]
    return tuple(words)


def nexthop_command(action: str, item: NextHopObject) -> tuple[str, ...]:
    """`ip nexthop add|replace|del …`."""
    words = ["ip", "nexthop", action, "id", str(item.id)]
    if action == "del":
        return tuple(words)
    if item.protocol and item.protocol != "unspec":
        words += ["proto", item.protocol]
    if item.group:
        members = (f"{member},{weight}" if weight != 1 else str(member) for member, weight in item.group)
        return (*words, "group", "/".join(members))
    if item.blackhole:
        return (*words, "blackhole")
    return (*words, *_hop(item.hop))


def fdb_command(action: str, entry: ForwardingEntry) -> tuple[str, ...]:
    """`bridge fdb add|append|del …`."""
    words = ["bridge", "fdb", action, entry.mac, "dev", entry.link]
    if entry.destination:
        words += ["dst", entry.destination]
    if entry.vlan is not None:
        words += ["vlan", str(entry.vlan)]
    words.append("master" if entry.master else "self")
    if action != "del":
        words.append("permanent")
    return tuple(words)

"""`ip -j` and `bridge -j`: routes, policy rules, next hops, neighbours and forwarding entries; links are in `ip_json_links`.

Written for iproute2 5.10 to 6.15: unknown keys are ignored, and a text that is no JSON list is a gap.
"""

from typing import Any

from planner.models.link import ForwardingEntry, Neighbour
from planner.models.route import MAIN, NextHop, NextHopObject, PolicyRule, Route
from planner.models.source import Gap
from planner.parse.ip_json_entries import each
from planner.parse.ip_json_links import parse_links
from planner.parse.ip_names import (
    ACTIONS,
    DISCARDING,
    address_text,
    ip_protocol_name,
    mark_text,
    number_of,
    prefix_text,
    protocol_name,
    scope_name,
    table_number,
    tos_text,
    type_name,
)

__all__ = [
    "parse_fdb",
    "parse_links",
    "parse_neighbours",
    "parse_nexthops",
    "parse_policy_rules",
    "parse_routes",
]

Entry = dict[str, Any]

ENCAPSULATION = ("id", "src", "dst", "ttl", "hoplimit", "tos", "tc", "mode", "segs", "hmac", "labels", "fn")
KEPT_METRICS = (
    "window",
    "rtt",
    "rttvar",
    "ssthresh",
    "cwnd",
    "reordering",
    "hoplimit",
    "initcwnd",
    "features",
    "rto_min",
    "initrwnd",
    "quickack",
    "congctl",
    "fastopen_no_cookie",
)


def parse_routes(text: str, family: str) -> tuple[tuple[Route, ...], tuple[Gap, ...]]:
    """`ip -4|-6 -N -j -d route show table all`."""
    return each(text, f"routes/{family}", lambda entry: _route(entry, family))


def _route(entry: Entry, family: str) -> Route:
    kind = type_name(str(entry.get("type", "unicast")))
    nexthop_id = entry.get("nhid")
    hops = [_hop(hop, family) for hop in entry.get("nexthops", ())]
    if not hops and kind not in DISCARDING:
        single = _hop(entry, family)
        hops = [single] if single != NextHop() else []
    metrics: Entry = {}
    for part in entry.get("metrics", ()):
        metrics.update(part)
    flags = entry.get("flags") or ()
    options = {name: str(metrics[name]) for name in KEPT_METRICS if name in metrics}
    locked = metrics.get("lock")
    if locked:
        options["lock"] = ",".join(sorted(locked)) if isinstance(locked, list) else str(locked)
    if entry.get("pref", "medium") != "medium":
        options["pref"] = str(entry["pref"])
    if "from" in entry:
        options["from"] = prefix_text(str(entry["from"]), family)
    for name in ("realms", "realm", "flow"):
        if name in entry:
            options["realms"] = _realms(entry[name])
    if "ttl-propagate" in entry:
        options["ttl-propagate"] = str(entry["ttl-propagate"])
    if "pervasive" in flags:
        options["pervasive"] = "on"
    return Route(
        family=family,
        table=table_number(str(entry.get("table", MAIN))),
        prefix=prefix_text(str(entry["dst"]), family),
        type=kind,
        tos=tos_text(str(entry.get("tos", "0")) if "encap" not in entry else "0"),
        metric=int(entry.get("metric", 0)),
        protocol=protocol_name(str(entry.get("protocol", "boot"))),
        scope=scope_name(str(entry.get("scope", "global"))) if family == "ip" else "",
        source=address_text(str(entry["prefsrc"])) if entry.get("prefsrc") else "",
        nexthops=tuple(hops),
        nexthop_id=int(nexthop_id) if nexthop_id is not None else None,
        mtu=int(metrics["mtu"]) if "mtu" in metrics else None,
        advmss=int(metrics["advmss"]) if "advmss" in metrics else None,
        expires="expires" in entry,
        options=options,
    )


def _realms(value: Any) -> str:
    """`FROM/TO`, or `TO` alone."""
    if isinstance(value, dict):
        return "/".join(str(value[end]) for end in ("from", "to") if end in value)
    return str(value)


def _hop(entry: Entry, family: str) -> NextHop:
    via, via_family = str(entry.get("gateway", "")), ""
    other = entry.get("via")
    if isinstance(other, dict):
        via = str(other["host"])
        named = {"inet": "ip", "inet6": "ip6"}.get(str(other["family"]), str(other["family"]))
        via_family = named if named != family else ""
    return NextHop(
        via=address_text(via) if via and via_family in {"", "ip", "ip6"} else via,
        via_family=via_family,
        link=str(entry.get("dev", "")),
        weight=int(entry.get("weight", 1)),
        onlink="onlink" in (entry.get("flags") or ()),
        encap=_encapsulation(entry),
    )


def _encapsulation(entry: Entry) -> str:
    kind = entry.get("encap")
    if not kind:
        return ""
    nested = kind if isinstance(kind, dict) else {}
    words = [str(nested.get("encap_type", nested.get("type", ""))) if nested else str(kind)]
    for name in ENCAPSULATION:
        # The route's own `dst` came first, the encapsulation's second; `src` and the rest are its own.
        value = nested.get(name) if nested else entry.get("dst#2" if name == "dst" else name)
        if value is not None:
            words += [name, " ".join(map(str, value)) if isinstance(value, list) else str(value)]
    return " ".join(word for word in words if word)


def parse_policy_rules(text: str, family: str) -> tuple[tuple[PolicyRule, ...], tuple[Gap, ...]]:
    """`ip -4|-6 -N -j -d rule`."""
    return each(text, f"policy_rules/{family}", lambda entry: _policy_rule(entry, family))


def _ports(entry: Entry, side: str) -> str:
    if side in entry:
        return _masked(str(entry[side]), entry.get(f"{side}_mask"))
    if f"{side}_start" in entry:
        return f"{entry[f'{side}_start']}-{entry[f'{side}_end']}"
    return ""


def _masked(value: str, mask: str | None) -> str:
    return value if mask is None or str(mask) in {"0xffff", "65535"} else f"{value}/{mask}"


def _end(entry: Entry, side: str, family: str) -> str:
    address = str(entry.get(side, "all"))
    if address in {"all", "any"}:
        return ""
    length = entry.get(f"{side}len")
    return prefix_text(address if length is None or "/" in address else f"{address}/{length}", family)


def _policy_rule(entry: Entry, family: str) -> PolicyRule:
    goto = entry.get("goto")
    # 6.1 prints the table of a lookup and `action` of everything else (iproute2, ip/iprule.c, print_rule).
    named = str(entry["action"]) if "action" in entry else ""
    number = number_of(named)
    action = ACTIONS.get(number, named) if number is not None else named
    options: dict[str, str] = {}
    for name in ("tun_id", "realms", "dscp", "flowlabel", "nat_gateway", "masquerade"):
        if name in entry:
            options[name] = "" if entry[name] is None else str(entry[name])
    if "l3mdev" in entry:
        options["l3mdev"] = ""
    if goto is not None:
        action = "goto"
    elif "nop" in entry:
        action = "nop"
    elif not action or action in {"to_tbl", "unicast"}:
        action = "lookup"
    suppress = entry.get("suppress_prefixlen")
    uids = f"{entry['uid_start']}-{entry['uid_end']}" if "uid_start" in entry else ""
    return PolicyRule(
        family=family,
        preference=int(entry["priority"]),
        source=_end(entry, "src", family),
        destination=_end(entry, "dst", family),
        iif=str(entry.get("iif", "")),
        oif=str(entry.get("oif", "")),
        fwmark=mark_text(str(entry["fwmark"]), str(entry.get("fwmask", ""))) if "fwmark" in entry else "",
        tos=tos_text(str(entry["tos"])) if "tos" in entry else "",
        ipproto=ip_protocol_name(str(entry["ipproto"])) if "ipproto" in entry else "",
        sport=_ports(entry, "sport"),
        dport=_ports(entry, "dport"),
        uidrange=uids,
        inverted="not" in entry,
        action=action,
        table=table_number(str(entry["table"])) if "table" in entry and action == "lookup" else "",
        goto=(number_of(str(goto)) or 0) if goto is not None else None,
        suppress_prefixlength=int(suppress) if suppress is not None else None,
        suppress_ifgroup=str(entry.get("suppress_ifgroup", "")),
        protocol=protocol_name(str(entry.get("protocol", "0"))),
        options=options,
    )


def parse_nexthops(text: str) -> tuple[tuple[NextHopObject, ...], tuple[Gap, ...]]:
    """`ip -N -j -d nexthop`."""
    return each(text, "nexthop_objects", _nexthop)


def _nexthop(entry: Entry) -> NextHopObject:
    group = tuple((int(member["id"]), int(member.get("weight", 1))) for member in entry.get("group", ()))
    via = str(entry.get("gateway", ""))
    hop = _hop(entry, "ip6" if ":" in via else "ip")
    # A nexthop object has the family of its gateway; without one `ip` does not print it.
    return NextHopObject(
        id=int(entry["id"]),
        family=("ip6" if ":" in via else "ip") if via else "",
        hop=hop,
        group=group,
        blackhole="blackhole" in entry,
        protocol=protocol_name(str(entry.get("protocol", "0"))),
    )


def parse_neighbours(text: str, *, proxy_text: str = "") -> tuple[tuple[Neighbour, ...], tuple[Gap, ...]]:
    """`ip -j neigh` and, apart, `ip -j neigh show proxy`."""
    entries, gaps = each(text, "neighbours", _neighbour)
    proxies, more = each(proxy_text, "neighbours", lambda entry: _neighbour({**entry, "proxy": None}))
    return (*entries, *proxies), (*gaps, *more)


def _neighbour(entry: Entry) -> Neighbour:
    states = [str(state) for state in entry.get("state") or ()]
    return Neighbour(
        address=address_text(str(entry["dst"])),
        link=str(entry.get("dev", "")),
        mac=str(entry.get("lladdr", "")),
        permanent="PERMANENT" in states,
        state=",".join(states),
        proxy="proxy" in entry,
    )


def parse_fdb(text: str) -> tuple[tuple[ForwardingEntry, ...], tuple[Gap, ...]]:
    """`bridge -j fdb`. The multicast filter that every link keeps of itself is not a forwarding entry and left out."""
    return each(text, "fdb", _forwarding)


def _forwarding(entry: Entry) -> ForwardingEntry | None:
    mac = str(entry["mac"])
    if is_group(mac) and "dst" not in entry and "self" in (entry.get("flags") or ()):
        return None
    return ForwardingEntry(
        mac=mac,
        link=str(entry.get("ifname", "")),
        destination=address_text(str(entry["dst"])) if entry.get("dst") else "",
        permanent=entry.get("state") in {"permanent", "static"},
        master=str(entry.get("master", "")),
        vlan=int(entry["vlan"]) if "vlan" in entry else None,
    )


def is_group(mac: str) -> bool:
    """A multicast address: the lowest bit of its first octet is set."""
    first = number_of("0x" + mac.partition(":")[0])
    return bool(first is not None and first & 1)

"""`ip -j -d addr show`: links with their addresses.

Options are named as in JSON, with `on` and `off` for truth values; what moves by itself (timers, elected roots, port
states) is left out. Those of a bridge port stand beside those of the link's own kind; `learning` is `port_learning`.
"""

from typing import Any

from planner.models.link import Address, Link
from planner.models.source import Gap
from planner.parse.ip_json_entries import each
from planner.parse.ip_names import address_text

Entry = dict[str, Any]

VOLATILE = frozenset(
    {
        "bridge_id",
        "root_id",
        "root_port",
        "root_path_cost",
        "topology_change",
        "topology_change_detected",
        "topology_change_ack",
        "hello_timer",
        "tcn_timer",
        "topology_change_timer",
        "gc_timer",
        "hold_timer",
        "message_age_timer",
        "forward_delay_timer",
        "state",
        "designated_port",
        "designated_cost",
        "config_pending",
        "id",
        "no",
        "active_slave",
        "ad_info",
        "ad_aggregator_id",
        "ad_actor_oper_port_state",
        "ad_actor_oper_port_state_str",
        "ad_partner_oper_port_state",
        "ad_partner_oper_port_state_str",
        "mii_status",
        "link_failure_count",
        "fdb_n_learned",
        "mcast_n_groups",
        "backup_nhid",
        "perm_hwaddr",
        "group_fwd_mask_str",
    }
)
KEPT_ID = frozenset({"vxlan", "vlan", "geneve"})
"""Kinds whose `id` is configuration; a bridge port's `id` is not."""
FOREVER = 4294967295
"""INFINITY_LIFE_TIME of include/uapi/linux/if_addr.h."""


def parse_links(text: str) -> tuple[tuple[Link, ...], tuple[Gap, ...]]:
    """Links in the kernel's order, each with its addresses in the kernel's order."""
    return each(text, "links", _link)


def plain(value: Any) -> str:
    """A JSON value as the words that iproute2 takes."""
    match value:
        case bool():
            return "on" if value else "off"
        case None:
            return "on"
        case {"low": low, "high": high}:
            return f"{low}-{high}"
        case list():
            return " ".join(plain(part) for part in value)
        case dict():
            return " ".join(f"{key} {plain(part)}" for key, part in value.items())
        case _:
            return str(value)


def _options(entry: Entry, kind: str) -> dict[str, str]:
    info = entry.get("linkinfo") or {}
    options: dict[str, str] = {}
    for name, value in (info.get("info_data") or {}).items():
        if name in VOLATILE and not (name == "id" and kind in KEPT_ID):
            continue
        if (name, value) == ("df", "unset"):
            continue  # The text form leaves it out.
        options[name] = plain(value)
    for name, value in (info.get("info_slave_data") or {}).items():
        if name not in VOLATILE:
            options["port_learning" if name == "learning" else name] = plain(value)
    flags = entry.get("flags") or ()
    options |= flag_options(flags)
    if kind == "veth" and entry.get("link") and "link_netnsid" not in entry:
        options["peer"] = str(entry["link"])
    return options


def flag_options(flags: list[str] | tuple[str, ...]) -> dict[str, str]:
    """What the flags say that can be set with `ip link set` and is not the usual value."""
    options: dict[str, str] = {}
    if "NOARP" in flags:
        options["arp"] = "off"
    if "PROMISC" in flags:
        options["promisc"] = "on"
    if "ALLMULTI" in flags:
        options["allmulticast"] = "on"
    if "BROADCAST" in flags and "MULTICAST" not in flags:
        options["multicast"] = "off"
    return options


def _link(entry: Entry) -> Link:
    info = entry.get("linkinfo") or {}
    data = info.get("info_data") or {}
    kind = str(info.get("info_kind", "")) or ("loopback" if entry.get("link_type") == "loopback" else "")
    flags = entry.get("flags") or ()
    elsewhere = "link_netnsid" in entry or ("link_index" in entry and "link" not in entry)
    lower = "" if kind == "veth" else str(entry.get("link") or data.get("link") or "")
    name = str(entry["ifname"])
    group = str(entry.get("group", "default"))
    return Link(
        name=name,
        index=int(entry.get("ifindex", 0)),
        kind=kind,
        mtu=int(entry.get("mtu", 1500)),
        mac=str(entry.get("address", "")),
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        operstate=str(entry.get("operstate", "UNKNOWN")),
        master=str(entry.get("master", "")),
        lower=lower,
        peer_elsewhere=kind == "veth" and elsewhere,
        group="default" if group == "0" else group,
        alias=str(entry.get("ifalias", "")),
        txqueuelen=int(entry["txqlen"]) if "txqlen" in entry else None,
        altnames=tuple(sorted(str(alternative) for alternative in entry.get("altnames") or ())),
        options=_options(entry, kind),
        addresses=tuple(_address(part, name) for part in entry.get("addr_info") or () if part.get("local")),
        xdp="xdp" in entry,
    )


def _address(entry: Entry, link: str) -> Address:
    label = str(entry.get("label", ""))
    broadcast = str(entry.get("broadcast", ""))
    return Address(
        address=address_text(str(entry["local"])),
        length=int(entry["prefixlen"]),
        scope=str(entry.get("scope", "global")),
        secondary=bool(entry.get("secondary")),
        peer=address_text(str(entry["address"])) if entry.get("address") else "",
        broadcast=address_text(broadcast) if broadcast else "",
        label="" if label == link else label,
        dynamic=bool(entry.get("dynamic")),
        noprefixroute=bool(entry.get("noprefixroute")),
        metric=int(entry["metric"]) if "metric" in entry else None,
        # A zero preferred lifetime is what `deprecated` means (net/ipv6/addrconf.c).
        deprecated=bool(entry.get("deprecated")) or entry.get("preferred_life_time") == 0,
    )

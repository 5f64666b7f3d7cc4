"""Commands that make a link, and that give an existing one other settings."""

from planner.models.link import Link
from planner.models.node import NodeState

# What a new bridge has (measured on Linux 6.18 with iproute2 6.1); only the rest needs saying.
BRIDGE_DEFAULTS = {
    "forward_delay": "1500",
    "hello_time": "200",
    "max_age": "2000",
    "ageing_time": "30000",
    "stp_state": "0",
    "priority": "32768",
    "vlan_filtering": "0",
    "vlan_protocol": "802.1Q",
    "vlan_default_pvid": "1",
    "vlan_stats_enabled": "0",
    "vlan_stats_per_port": "0",
    "group_fwd_mask": "0",
    "mcast_snooping": "1",
    "mcast_vlan_snooping": "0",
    "mcast_router": "1",
    "mcast_query_use_ifaddr": "0",
    "mcast_querier": "0",
    "mcast_hash_elasticity": "16",
    "mcast_hash_max": "4096",
    "mcast_last_member_cnt": "2",
    "mcast_startup_query_cnt": "2",
    "mcast_last_member_intvl": "100",
    "mcast_membership_intvl": "26000",
    "mcast_querier_intvl": "25500",
    "mcast_query_intvl": "12500",
    "mcast_query_response_intvl": "1000",
    "mcast_startup_query_intvl": "3124",
    "mcast_stats_enabled": "0",
    "mcast_igmp_version": "2",
    "mcast_mld_version": "1",
    "nf_call_iptables": "0",
    "nf_call_ip6tables": "0",
    "nf_call_arptables": "0",
}
SPOKEN = {
    "mcast_last_member_cnt": "mcast_last_member_count",
    "mcast_startup_query_cnt": "mcast_startup_query_count",
    "mcast_last_member_intvl": "mcast_last_member_interval",
    "mcast_membership_intvl": "mcast_membership_interval",
    "mcast_querier_intvl": "mcast_querier_interval",
    "mcast_query_intvl": "mcast_query_interval",
    "mcast_query_response_intvl": "mcast_query_response_interval",
    "mcast_startup_query_intvl": "mcast_startup_query_interval",
    "port_learning": "learning",
    "multicast_router": "mcast_router",
}
PORT_OPTIONS = {
    "hairpin": "off",
    "guard": "off",
    "root_block": "off",
    "fastleave": "off",
    "port_learning": "on",
    "flood": "on",
    "proxy_arp": "off",
    "proxy_arp_wifi": "off",
    "multicast_router": "1",
    "mcast_flood": "on",
    "bcast_flood": "on",
    "mcast_to_unicast": "off",
    "neigh_suppress": "off",
    "vlan_tunnel": "off",
    "isolated": "off",
    "locked": "off",
    "group_fwd_mask": "0",
    "priority": "32",
}
"""Settings of a bridge port with what a new port has."""
BY_SPEED = ("", "2", "4", "5", "19", "100")
"""Costs that a port has by itself (net/bridge/br_if.c, port_cost): one that is written stays when its speed changes."""
SWITCHES = {
    "learning": ("learning", "nolearning", "on"),
    "proxy": ("proxy", "noproxy", "off"),
    "rsc": ("rsc", "norsc", "off"),
    "l2miss": ("l2miss", "nol2miss", "off"),
    "l3miss": ("l3miss", "nol3miss", "off"),
    "udp_csum": ("udpcsum", "noudpcsum", "on"),
    "udp_zero_csum6_tx": ("udp6zerocsumtx", "noudp6zerocsumtx", "off"),
    "udp_zero_csum6_rx": ("udp6zerocsumrx", "noudp6zerocsumrx", "off"),
    "gbp": ("gbp", "nogbp", "off"),
    "gpe": ("gpe", "nogpe", "off"),
    "external": ("external", "noexternal", "off"),
}
"""Of a vxlan link: the word for on, the word for off, what a new one has."""
OWN_OPTIONS = {
    "vlan": ("protocol", "id"),
    "macvlan": ("mode",),
    "macvtap": ("mode",),
    "ipvlan": ("mode",),
    "ipip": ("local", "remote"),
    "sit": ("local", "remote"),
    "gre": ("local", "remote"),
    "geneve": ("id", "remote"),
    "vrf": ("table",),
    "bond": ("mode", "miimon"),
    "dummy": (),
    "ifb": (),
    "bridge": (),
    "wireguard": (),
}
FLAGS = ("arp", "multicast", "allmulticast", "promisc")
USUAL = {"arp": "on", "multicast": "on", "allmulticast": "off", "promisc": "off"}


def creatable(link: Link) -> bool:
    """Whether a command can make such a link again."""
    if link.kind == "veth":
        return bool(link.options.get("peer")) and not link.peer_elsewhere
    return link.kind == "vxlan" or link.kind in OWN_OPTIONS


def create_command(link: Link, peer: Link | None = None) -> tuple[str, ...]:
    """`ip link add …`: the link (and the other end of a veth pair), down."""
    words = ["ip", "link", "add"]
    if link.lower and link.kind != "vxlan":
        words += ["link", link.lower]
    words += ["name", link.name, *_common(link), "type", link.kind]
    match link.kind:
        case "veth" if peer is not None:
            words += ["peer", "name", peer.name, *_common(peer)]
        case "vxlan":
            words += _vxlan(link)
        case "bridge":
            for name, value in sorted(link.options.items()):
                if name in BRIDGE_DEFAULTS and value not in {BRIDGE_DEFAULTS[name], "0x0"}:
                    words += [SPOKEN.get(name, name), value]
        case _:
            for name in OWN_OPTIONS.get(link.kind, ()):
                if link.options.get(name):
                    words += [name, link.options[name]]
    return tuple(words)


def _common(link: Link) -> list[str]:
    words: list[str] = []
    if link.mac.count(":") == 5 and link.kind not in {"ipip", "sit", "gre", "wireguard"}:
        words += ["address", link.mac]
    words += ["mtu", str(link.mtu)]
    if link.txqueuelen is not None:
        words += ["txqueuelen", str(link.txqueuelen)]
    return words


def _vxlan(link: Link) -> list[str]:
    options = link.options
    words = ["id", options.get("id", "0")]
    for name, word in (
        ("local", "local"),
        ("local6", "local"),
        ("remote", "remote"),
        ("remote6", "remote"),
        ("group", "group"),
    ):
        if name in options:
            words += [word, options[name]]
    if link.lower:
        words += ["dev", link.lower]
    low, dash, high = options.get("port_range", "0-0").partition("-")
    if dash and (low, high) != ("0", "0"):
        words += ["srcport", low, high]
    for name, word, usual in (
        ("port", "dstport", ""),
        ("ttl", "ttl", "0"),
        ("ageing", "ageing", "300"),
        ("df", "df", "unset"),
    ):
        if options.get(name, usual) != usual:
            words += [word, options[name]]
    for name, (on, off, usual) in SWITCHES.items():
        if options.get(name, usual) != usual:
            words.append(on if options[name] == "on" else off)
    return words


def link_commands(have: Link, want: Link) -> tuple[tuple[str, ...], ...]:
    """Commands that give the link `have` (of the same name) the settings of `want`, but master, state and addresses."""
    start = ("ip", "link", "set", "dev", want.name)
    found: list[tuple[str, ...]] = []
    if want.mac and have.mac != want.mac and want.mac.count(":") == 5:
        found.append((*start, "address", want.mac))
    if have.group != want.group:
        found.append((*start, "group", want.group))
    if have.alias != want.alias:
        found.append((*start, "alias", want.alias))
    if want.txqueuelen is not None and have.txqueuelen != want.txqueuelen:
        found.append((*start, "txqueuelen", str(want.txqueuelen)))
    for flag in FLAGS:
        now = want.options.get(flag, USUAL[flag])
        if have.options.get(flag, USUAL[flag]) != now:
            found.append((*start, flag, now))
    if want.kind == "bridge":
        for name, value in sorted(want.options.items()):
            if name in BRIDGE_DEFAULTS and name in have.options and have.options[name] != value:
                found.append((*start, "type", "bridge", SPOKEN.get(name, name), value))
    names = ("ip", "link", "property")
    gone, new = (
        sorted(set(have.altnames) - set(want.altnames)),
        sorted(set(want.altnames) - set(have.altnames)),
    )
    found += [(*names, "del", "dev", want.name, "altname", name) for name in gone]
    found += [(*names, "add", "dev", want.name, "altname", name) for name in new]
    return tuple(found)


def follows_ports(link: Link, state: NodeState) -> bool:
    """Whether a bridge has the hardware address that it takes from its ports while nobody gives it one.

    A given one it would keep (net/bridge/br_stp_if.c, br_stp_recalculate_bridge_id: NET_ADDR_SET). No snapshot tells who
    has given the same.
    """
    macs = [port.mac for port in state.links if port.master == link.name and port.mac]
    return link.kind == "bridge" and bool(macs) and min(macs) == link.mac


def port_commands(have: Link, want: Link) -> tuple[tuple[str, ...], ...]:
    """Commands that give a bridge port its settings, after it has its master."""
    if not want.master or want.kind == "bridge":
        return ()
    found: list[tuple[str, ...]] = []
    for name, usual in PORT_OPTIONS.items():
        value = want.options.get(name)
        if value not in {None, "0x0" if usual == "0" else None} and value != have.options.get(name, usual):
            found.append(
                (
                    "ip",
                    "link",
                    "set",
                    "dev",
                    want.name,
                    "type",
                    "bridge_slave",
                    SPOKEN.get(name, name),
                    value or "",
                )
            )
    cost = want.options.get("cost", "")
    if cost != have.options.get("cost", "") and cost not in BY_SPEED:
        found.append(("ip", "link", "set", "dev", want.name, "type", "bridge_slave", "cost", cost))
    return tuple(found)

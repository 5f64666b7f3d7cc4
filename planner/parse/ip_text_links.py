"""`ip [-d] addr` and `ip [-d] link` as text: links with their addresses, in the names of the JSON form."""

import re
from collections.abc import Sequence
from itertools import pairwise

from planner.models.link import Address, Link
from planner.models.source import Gap
from planner.parse.ip_json_links import KEPT_ID, VOLATILE, flag_options
from planner.parse.ip_names import NotUnderstoodError, address_text, number_of

HEAD = re.compile(
    r"^(?P<index>\d+): (?P<name>[^\s:@]+)(?:@(?P<lower>[^\s:]+))?: <(?P<flags>[^>]*)>(?P<rest>.*)$"
)
KINDS = frozenset(
    {
        "veth",
        "bridge",
        "vxlan",
        "vlan",
        "dummy",
        "ipip",
        "ip6tnl",
        "sit",
        "gre",
        "gretap",
        "ip6gre",
        "ip6gretap",
        "erspan",
        "wireguard",
        "macvlan",
        "macvtap",
        "ipvlan",
        "ipvtap",
        "bond",
        "team",
        "vrf",
        "tun",
        "geneve",
        "ifb",
        "vti",
        "vti6",
        "xfrm",
        "openvswitch",
        "nlmon",
        "netkit",
        "vcan",
        "ipoib",
        "bareudp",
        "gtp",
        "hsr",
        "macsec",
    }
)
STATISTICS = ("RX:", "TX:", "vf ", "RX errors", "TX errors")
RENAMED = {
    "dstport": "port",
    "udpcsum": "udp_csum",
    "udp6zerocsumtx": "udp_zero_csum6_tx",
    "udp6zerocsumrx": "udp_zero_csum6_rx",
    "designated_root": "root_id",
    "designated_bridge": "bridge_id",
    "group_address": "group_addr",
    "mcast_last_member_count": "mcast_last_member_cnt",
    "mcast_startup_query_count": "mcast_startup_query_cnt",
    "mcast_last_member_interval": "mcast_last_member_intvl",
    "mcast_membership_interval": "mcast_membership_intvl",
    "mcast_querier_interval": "mcast_querier_intvl",
    "mcast_query_interval": "mcast_query_intvl",
    "mcast_query_response_interval": "mcast_query_response_intvl",
    "mcast_startup_query_interval": "mcast_startup_query_intvl",
    "port_id": "id",
    "port_no": "no",
    "rem_checksum_tx": "remcsum_tx",
}
# The same attribute is printed twice (iproute2, ip/iplink_bridge_slave.c, IFLA_BRPORT_FAST_LEAVE).
PORT_RENAMED = {
    "mcast_fast_leave": "fastleave",
    "mcast_router": "multicast_router",
    "learning": "port_learning",
}
SWITCHES = frozenset(
    {
        "learning",
        "proxy",
        "rsc",
        "l2miss",
        "l3miss",
        "udp_csum",
        "udp_zero_csum6_tx",
        "udp_zero_csum6_rx",
        "gbp",
        "gpe",
        "external",
        "localbypass",
    }
)
"""Options of a vxlan link that are printed as `learning` or `nolearning`."""
GENERAL = frozenset(
    {
        "promiscuity",
        "allmulti",
        "minmtu",
        "maxmtu",
        "addrgenmode",
        "numtxqueues",
        "numrxqueues",
        "gso_max_size",
        "gso_max_segs",
        "tso_max_size",
        "tso_max_segs",
        "gro_max_size",
        "gso_ipv4_max_size",
        "gro_ipv4_max_size",
        "parentbus",
        "parentdev",
        "portid",
        "portname",
        "switchid",
        "permaddr",
        "netns-immutable",
    }
)


def parse_links(text: str) -> tuple[tuple[Link, ...], tuple[Gap, ...]]:
    """Links in the kernel's order. Lines before the first link or of no known form are gaps."""
    blocks: list[list[str]] = []
    gaps: list[Gap] = []
    for line in text.splitlines():
        if HEAD.match(line):
            blocks.append([line])
        elif blocks:
            blocks[-1].append(line)
        elif line.strip():
            gaps.append(Gap(section="links", reason=f"a line could not be read: {line.strip()[:160]}"))
    links: list[Link] = []
    for block in blocks:
        link, refused = _link(block)
        links.append(link)
        gaps += refused
    return tuple(links), tuple(gaps)


def _link(block: Sequence[str]) -> tuple[Link, list[Gap]]:
    head = HEAD.match(block[0])
    if head is None:  # pragma: no cover
        raise AssertionError("a block without a head")
    name, flags = head["name"], tuple(head["flags"].split(","))
    gaps: list[Gap] = []
    details: list[list[str]] = []
    addresses: list[Address] = []
    mac, link_type, elsewhere, alias = "", "", False, ""
    altnames: list[str] = []
    general = head["rest"].split()
    for line in block[1:]:
        words = line.split()
        stripped = line.strip()
        if not words or stripped.startswith(STATISTICS) or words[0].isdecimal() or words[0] == "valid_lft":
            continue
        if words[0].startswith("link/"):
            link_type = words[0].removeprefix("link/")
            mac = words[1] if len(words) > 1 and words[1] not in GENERAL else ""
            elsewhere = any(word in {"link-netnsid", "link-netns"} for word in words)
            general += words[2:]
        elif words[0] in {"inet", "inet6"}:
            try:
                addresses.append(_address(words, name))
            except (ValueError, IndexError) as error:
                gaps.append(
                    Gap(
                        section="links",
                        reason=f"an address of {name} could not be read ({error}): {stripped[:160]}",
                    )
                )
        elif words[0] == "alias":
            alias = stripped.removeprefix("alias").strip()
        elif words[0] == "altname":
            altnames += words[1:2]
        elif not line[:1].isspace():
            general += words
        else:
            details.append(words)
    after = dict(pairwise(general))
    kind, options, lower = _details(details)
    if not kind and (link_type == "loopback" or "LOOPBACK" in flags):
        kind = "loopback"
    options |= flag_options(flags)
    below = head["lower"] or ""
    if kind == "veth" and below and not elsewhere and not re.fullmatch(r"if\d+", below):
        options["peer"] = below
    group = after.get("group", "default")
    return (
        Link(
            name=name,
            index=int(head["index"]),
            kind=kind,
            mtu=number_of(after.get("mtu", "")) or 0,
            mac=mac,
            up="UP" in flags,
            carrier="LOWER_UP" in flags,
            operstate=after.get("state", "UNKNOWN"),
            master=after.get("master", ""),
            lower=""
            if kind == "veth" or below == "NONE" or re.fullmatch(r"if\d+", below)
            else below or lower,
            peer_elsewhere=kind == "veth" and (elsewhere or bool(re.fullmatch(r"if\d+", below))),
            group="default" if group == "0" else group,
            alias=alias,
            txqueuelen=number_of(after.get("qlen", "")),
            altnames=tuple(sorted(altnames)),
            options=options,
            addresses=tuple(addresses),
            xdp=any(word.startswith("xdp") for word in general),
        ),
        gaps,
    )


def _details(lines: Sequence[Sequence[str]]) -> tuple[str, dict[str, str], str]:
    """Kind, options and lower link of the lines that `-d` adds."""
    kind, lower = "", ""
    options: dict[str, str] = {}
    for words in lines:
        first = words[0]
        if first.endswith("_slave"):
            for key, value in _pairs(words[1:], port=True).items():
                if key not in VOLATILE:
                    options[PORT_RENAMED.get(key, key)] = value
        elif first in KINDS and not kind:
            kind = first
            found = _pairs(words[1:], port=False)
            lower = found.pop("dev", "")
            if lower and kind == "vxlan":
                options["link"] = lower
            options |= {
                key: value
                for key, value in found.items()
                if key not in VOLATILE or (key == "id" and kind in KEPT_ID)
            }
    return kind, options, lower


def _pairs(words: Sequence[str], *, port: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(words):
        word = words[at]
        name = RENAMED.get(word, word)
        bare = RENAMED.get(word.removeprefix("no"), word.removeprefix("no"))
        if name in GENERAL:
            at += 2
        elif word == "srcport" and at + 2 < len(words):
            found["port_range"] = f"{words[at + 1]}-{words[at + 2]}"
            at += 3
        elif not port and bare in SWITCHES:
            found[bare] = "off" if word.startswith("no") and name not in SWITCHES else "on"
            at += 1
        elif at + 1 < len(words):
            found[name] = "0" if name == "ttl" and words[at + 1] == "auto" else words[at + 1]
            at += 2
        else:
            at += 1
    return found


def _address(words: Sequence[str], link: str) -> Address:
    own, slash, length = words[1].partition("/")
    # 32 and 128 are not printed by old versions for a point-to-point address.
    values = {"peer": "", "brd": "", "scope": "global", "metric": ""}
    flags: set[str] = set()
    label = ""
    at = 2
    while at < len(words):
        if words[at] in values and at + 1 < len(words):
            values[words[at]] = words[at + 1]
            at += 2
            continue
        flags.add(words[at])
        label = words[at]
        at += 1
    peer, peer_slash, peer_length = values["peer"].partition("/")
    size = number_of(peer_length if peer_slash else length) if slash or peer_slash else None
    address = address_text(own)
    full = 128 if ":" in address else 32
    if size is not None and not 0 <= size <= full:
        raise NotUnderstoodError(f"`{words[1]}` has no such length")
    return Address(
        address=address,
        length=full if size is None else size,
        scope=values["scope"],
        secondary="secondary" in flags and words[0] == "inet",
        peer=address_text(peer) if peer else "",
        broadcast=address_text(values["brd"]) if values["brd"] else "",
        label=label if words[0] == "inet" and label.startswith(f"{link}:") else "",
        dynamic="dynamic" in flags,
        noprefixroute="noprefixroute" in flags,
        metric=number_of(values["metric"]),
        deprecated="deprecated" in flags,
    )

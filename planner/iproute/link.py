"""`ip link add|set|delete`."""

import re
from collections.abc import Sequence

from planner.iproute.events import (
    change_mtu,
    follow_macs,
    follow_ports,
    link_down,
    link_up,
    register,
    settle,
    unregister,
    without_port_options,
)
from planner.iproute.link_words import USUAL, LinkWords, read_link_words
from planner.iproute.port import set_port
from planner.iproute.world import NotModelledError, RefusedError, World, sysctl_name
from planner.models.link import ForwardingEntry, Link
from planner.parse.ip_names import number_of

KNOWN_KINDS = frozenset(
    {
        "veth",
        "bridge",
        "vxlan",
        "vlan",
        "dummy",
        "ipip",
        "sit",
        "gre",
        "macvlan",
        "ipvlan",
        "ifb",
        "vrf",
        "bond",
        "wireguard",
        "geneve",
    }
)
VXLAN_OVERHEAD = {"ip": 50, "ip6": 70}
"""Outer Ethernet, IP, UDP and VXLAN headers (include/net/vxlan.h, VXLAN_HEADROOM and VXLAN6_HEADROOM)."""
MASTERS = frozenset({"bridge", "bond", "vrf", "team", "openvswitch"})
EXCLUSIVE = frozenset({"macvlan", "macvtap", "ipvlan", "ipvtap"})
"""Kinds that take all packets of the link below, which then cannot be a bridge port (netdev_rx_handler_register)."""
BUSY = "RTNETLINK answers: Device or resource busy"
SMALLEST_MTU, LARGEST_MTU = 68, 65535
LIVE_RENAME = (6, 2)
"""First kernel that renames a link that is up (net/core/dev.c, dev_change_name)."""


def run_link(world: World, action: str, words: Sequence[str]) -> None:
    """One command; what it cannot do is raised."""
    if action in {"set", "change"}:
        wanted = read_link_words(words, adding=False)
        for name in targets(world, wanted):
            configure(world, name, wanted)
    elif action == "add":
        add(world, read_link_words(words, adding=True))
    elif action == "delete":
        wanted = read_link_words(words, adding=False)
        for name in targets(world, wanted):
            remove(world, name)
    elif action == "property":
        change_names(world, words)
    else:
        raise NotModelledError(f"`ip link {action}`")


def change_names(world: World, words: Sequence[str]) -> None:
    """`ip link property add|del dev LINK altname NAME …`."""
    if len(words) < 5 or words[0] not in {"add", "del", "delete"} or words[1] != "dev":
        raise NotModelledError("`ip link property`")
    link = world.need_link(words[2])
    names = [word for word in words[3:] if word != "altname"]
    known = set(link.altnames)
    if words[0] == "add":
        for name in names:
            refuse_taken(world, name)
        known |= set(names)
    elif not known.issuperset(names):
        raise RefusedError("RTNETLINK answers: Invalid argument")
    else:
        known -= set(names)
    world.put_link(link.model_copy(update={"altnames": tuple(sorted(known))}), "altnames")


def targets(world: World, wanted: LinkWords) -> tuple[str, ...]:
    """The link that is meant, or all of a group when only a group is named."""
    if wanted.device:
        return (world.need_link(wanted.device).name,)
    group = wanted.values.pop("group", "")
    if not group:
        raise RefusedError('Not enough information: "dev" argument is required.')
    return tuple(link.name for link in world.links if link.group == _group(group))


def _group(text: str) -> str:
    return "default" if text == "0" else text


def remove(world: World, name: str) -> None:
    """`ip link delete`."""
    link = world.need_link(name)
    if link.kind in {"", "loopback"}:
        raise RefusedError("RTNETLINK answers: Operation not supported")
    unregister(world, name)


def add(world: World, wanted: LinkWords) -> None:
    """`ip link add`."""
    name = wanted.device
    if not name or not wanted.kind:
        raise NotModelledError("`ip link add` without a name or a type")
    if wanted.kind not in KNOWN_KINDS:
        raise NotModelledError(f"`ip link add` of type {wanted.kind}")
    if wanted.lower and world.need_link(wanted.lower).master and wanted.kind in EXCLUSIVE:
        raise RefusedError(BUSY)
    refuse_taken(world, name)
    if wanted.not_modelled:
        raise NotModelledError(wanted.not_modelled[0])
    if wanted.kind == "vxlan":
        refuse_same_vni(world, wanted)
    link = new_link(world, name, wanted)
    if wanted.kind != "veth":
        register(world, link)
        finish(world, name, wanted)
        return
    peer_words = wanted.peer or LinkWords()
    peer = peer_words.device or next(
        f"veth{n}" for n in range(len(world.links) + 2) if world.link(f"veth{n}") is None
    )
    refuse_taken(world, peer)
    if peer == name:
        raise RefusedError("RTNETLINK answers: File exists")
    # The peer is registered first and gets the smaller index (drivers/net/veth.c, veth_newlink).
    elsewhere = bool(peer_words.not_modelled)
    if elsewhere:
        world.gap(f"links/{peer}", f"{peer} is made in another namespace")
    else:
        other = new_link(world, peer, peer_words)
        register(world, other.model_copy(update={"kind": "veth", "options": {**other.options, "peer": name}}))
    options = link.options if elsewhere else {**link.options, "peer": peer}
    register(
        world,
        link.model_copy(update={"options": options, "index": link.index + 1, "peer_elsewhere": elsewhere}),
    )
    if not elsewhere:
        finish(world, peer, peer_words)
    finish(world, name, wanted)


def refuse_taken(world: World, name: str) -> None:
    """Names are unique, and short."""
    if world.link(name) is not None:
        raise RefusedError("RTNETLINK answers: File exists")
    if len(name.encode()) > 15 or not re.fullmatch(r"[^\s/:]+", name) or name in {".", ".."}:
        raise RefusedError(f'Error: argument "{name}" is wrong: "name" not a valid ifname')


def refuse_same_vni(world: World, wanted: LinkWords) -> None:
    """One vxlan link for each VNI and port (drivers/net/vxlan/vxlan_core.c, vxlan_config_validate)."""
    for link in world.links:
        if link.kind == "vxlan" and all(
            link.options.get(name, fallback) == wanted.options.get(name, fallback)
            for name, fallback in (("id", ""), ("port", "8472"))
        ):
            raise RefusedError("Error: A VXLAN device with the specified VNI already exists.")


def new_link(world: World, name: str, wanted: LinkWords) -> Link:
    """A link as the kernel makes it: down, with a random hardware address where none is given."""
    lower = world.link(wanted.lower) if wanted.lower else None
    mtu = 1500
    if lower is not None and wanted.kind in {"vlan", "macvlan", "ipvlan"}:
        mtu = lower.mtu
    elif lower is not None and wanted.kind == "vxlan":
        far = wanted.options.get("remote") or wanted.options.get("group") or wanted.options.get("local", "")
        mtu = lower.mtu - VXLAN_OVERHEAD["ip6" if ":" in far else "ip"]
    if "mtu" in wanted.values:
        asked = checked_mtu(wanted.values["mtu"])
        # A larger one is cut without a word (drivers/net/vxlan/vxlan_core.c, vxlan_config_apply; measured).
        mtu = min(mtu, asked) if lower is not None and wanted.kind == "vxlan" else asked
    mac = wanted.values.get("address", "")
    if not mac and wanted.kind == "vlan" and lower is not None:
        mac = lower.mac
    qlen = number_of(wanted.values.get("txqueuelen", "1000"))
    return Link(
        name=name,
        index=max((link.index for link in world.links), default=0) + 1,
        kind=wanted.kind,
        mtu=mtu,
        mac=mac.lower(),
        up=False,
        carrier=False,
        operstate="DOWN",
        lower=lower.name if lower is not None else "",
        group=_group(wanted.values.get("group", "default")),
        alias=wanted.values.get("alias", ""),
        txqueuelen=qlen,
        options={"id": "0", **wanted.options} if wanted.kind == "vxlan" else dict(wanted.options),
    )


def finish(world: World, name: str, wanted: LinkWords) -> None:
    """What a new link is asked besides."""
    set_switches(world, name, wanted)
    if "master" in wanted.values:
        enslave(world, name, wanted.values["master"])
    if wanted.up:
        link_up(world, name)


def checked_mtu(text: str) -> int:
    """An MTU that an Ethernet-like link takes."""
    mtu = number_of(text)
    if mtu is None:
        raise RefusedError(f'Error: argument "{text}" is wrong: Invalid "mtu" value')
    if mtu < SMALLEST_MTU:
        raise RefusedError("Error: mtu less than device minimum.")
    if mtu > LARGEST_MTU:
        raise RefusedError("Error: mtu greater than device maximum.")
    return mtu


def fitting_mtu(world: World, name: str, mtu: int) -> int:
    """A link on top of another cannot be larger than that one carries (measured)."""
    link = world.need_link(name)
    lower = world.link(link.lower) if link.lower else None
    if lower is not None and link.kind in {"vxlan", "macvlan", "ipvlan", "vlan"} and link.mtu != mtu:
        far = link.options.get("remote") or link.options.get("group") or link.options.get("local", "")
        room = lower.mtu - (VXLAN_OVERHEAD["ip6" if ":" in far else "ip"] if link.kind == "vxlan" else 0)
        if mtu > room:
            problem = "Numerical result out of range" if link.kind == "vlan" else "Invalid argument"
            raise RefusedError(f"RTNETLINK answers: {problem}")
    return mtu


def configure(world: World, name: str, wanted: LinkWords) -> None:
    """`ip link set`, in the kernel's order (net/core/rtnetlink.c, do_setlink)."""
    values = wanted.values
    if wanted.not_modelled:
        raise NotModelledError(wanted.not_modelled[0])
    if "address" in values:
        set_mac(world, name, values["address"].lower())
    if "mtu" in values:
        change_mtu(world, name, fitting_mtu(world, name, checked_mtu(values["mtu"])))
    if "group" in values:
        update(world, name, "group", _group(values["group"]))
    if "name" in values:
        name = rename(world, name, values["name"])
    if "alias" in values:
        update(world, name, "alias", values["alias"])
    if "master" in values:
        enslave(world, name, values["master"])
    if wanted.nomaster:
        release(world, name)
    set_switches(world, name, wanted)
    if wanted.up is not None and world.need_link(name).up != wanted.up:
        (link_up if wanted.up else link_down)(world, name)
    if "txqueuelen" in values:
        length = number_of(values["txqueuelen"])
        if length is None:
            raise RefusedError('Error: Invalid "txqueuelen" value')
        link = world.need_link(name)
        world.put_link(link.model_copy(update={"txqueuelen": length}), "txqueuelen")
    if wanted.kind == "bridge_slave":
        set_port(world, name, wanted.options)
        return
    for key, value in wanted.options.items():
        link = world.need_link(name)
        world.put_link(link.model_copy(update={"options": {**link.options, key: value}}), f"options/{key}")


def update(world: World, name: str, field: str, value: str) -> None:
    """Set one field."""
    link = world.need_link(name)
    world.put_link(link.model_copy(update={field: value}), field)


def set_switches(world: World, name: str, wanted: LinkWords) -> None:
    """Flags such as `arp off`: kept where they are not usual."""
    for switch, value in wanted.switches.items():
        link = world.need_link(name)
        options = {key: old for key, old in link.options.items() if key != switch}
        if value != USUAL[switch]:
            options[switch] = value
        world.put_link(link.model_copy(update={"options": options}), f"options/{switch}")


def set_mac(world: World, name: str, mac: str) -> None:
    """A hardware address; a bridge may take it over from its port."""
    if not re.fullmatch(r"([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}", mac):
        raise RefusedError(f'Error: "{mac}" is invalid lladdr.')
    link = world.need_link(name)
    mac = ":".join(part.zfill(2) for part in mac.split(":"))
    own = [entry for entry in world.fdb if entry.link == name and entry.mac == link.mac and entry.master]
    world.put_link(link.model_copy(update={"mac": mac}), "mac")
    world.fdb = [entry.model_copy(update={"mac": mac}) if entry in own else entry for entry in world.fdb]
    if link.master:
        follow_macs(world, link.master)


def rename(world: World, old: str, new: str) -> str:
    """A link gets another name: everything the kernel keeps by index follows, policy rules by name do not."""
    if new == old:
        return old
    link = world.need_link(old)
    refuse_taken(world, new)
    version = tuple(int(part) for part in re.findall(r"\d+", world.before.kernel)[:2])
    if link.up and version and version < LIVE_RENAME:
        raise RefusedError("RTNETLINK answers: Device or resource busy")
    because = f"{old} is called {new} now"

    def called(name: str) -> str:
        return new if name == old else name

    world.links = [
        other.model_copy(
            update={
                "name": called(other.name),
                "master": called(other.master),
                "lower": called(other.lower),
                "options": {
                    key: called(value) if key in {"peer", "link"} else value
                    for key, value in other.options.items()
                },
            }
        )
        for other in world.links
    ]
    world.tell(f"link/{old}")
    world.tell(f"link/{new}")
    for at, route in enumerate(world.routes):
        if any(hop.link == old for hop in route.nexthops):
            hops = tuple(hop.model_copy(update={"link": called(hop.link)}) for hop in route.nexthops)
            world.routes[at] = route.model_copy(update={"nexthops": hops})
    world.nexthops = [
        item.model_copy(update={"hop": item.hop.model_copy(update={"link": called(item.hop.link)})})
        for item in world.nexthops
    ]
    world.neighbours = [entry.model_copy(update={"link": called(entry.link)}) for entry in world.neighbours]
    world.fdb = [
        entry.model_copy(update={"link": called(entry.link), "master": called(entry.master)})
        for entry in world.fdb
    ]
    for rule in world.rules:
        if old in {rule.iif, rule.oif}:
            world.tell(
                f"policy-rule/{rule.family}/{rule.preference}",
                f"{because}: a policy rule keeps the old name and no longer matches",
            )
    move_keys(world, old, new, because)
    return new


def move_keys(world: World, old: str, new: str, because: str) -> None:
    """The sysctl keys of a link carry its name."""
    for family in ("ipv4", "ipv6"):
        for group in ("conf", "neigh"):
            source = f"net.{family}.{group}.{sysctl_name(old)}."
            for key in sorted(key for key in world.sysctls if key.startswith(source)):
                value = world.sysctls.pop(key)
                world.tell(f"sysctl/{key}", because)
                world.set_sysctl(
                    f"net.{family}.{group}.{sysctl_name(new)}.{key.removeprefix(source)}", value, because
                )


def enslave(world: World, name: str, master: str) -> None:
    """`master NAME`: the link becomes a port."""
    if master in {"", "none"}:
        release(world, name)
        return
    upper = world.need_link(master)
    link = world.need_link(name)
    if link.master == upper.name:
        return
    if upper.kind not in MASTERS or upper.name == name:
        raise RefusedError("RTNETLINK answers: Operation not supported")
    if upper.kind != "bridge":
        raise NotModelledError(f"`master` with a {upper.kind}: its routes and addresses move")
    if link.kind in {"bridge", "loopback"}:
        raise RefusedError(
            "RTNETLINK answers: Too many levels of symbolic links"
            if link.kind == "bridge"
            else "RTNETLINK answers: Invalid argument"
        )
    if any(other.lower == name and other.kind in EXCLUSIVE for other in world.links):
        raise RefusedError(BUSY)
    if link.master:
        release(world, name)
        link = world.need_link(name)
    world.put_link(link.model_copy(update={"master": upper.name}), "master")
    if link.mac:
        world.fdb.append(ForwardingEntry(mac=link.mac, link=name, permanent=True, master=upper.name))
    follow_ports(world, upper.name)
    follow_macs(world, upper.name)
    settle(world, f"{name} is a port of {upper.name} now")


def release(world: World, name: str) -> None:
    """`nomaster`: the link is no port any more."""
    link = world.need_link(name)
    if not link.master:
        return
    upper = world.need_link(link.master)
    if upper.kind != "bridge":
        raise NotModelledError(f"`nomaster` from a {upper.kind}: its routes and addresses move")
    world.put_link(link.model_copy(update={"master": "", "options": without_port_options(link)}), "master")
    world.drop_fdb(
        lambda entry: entry.link == name and entry.master == upper.name, f"{name} left {upper.name}"
    )
    follow_ports(world, upper.name)
    follow_macs(world, upper.name)
    settle(world, f"{name} left {upper.name}")

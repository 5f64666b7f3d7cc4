"""Links of a stage: real ones where the kernel makes the same, else stand-ins that end in this process."""

import os
from collections.abc import Iterator, Mapping, Sequence

from planner.emit.ip_links import creatable, create_command, follows_ports, link_commands, port_commands
from planner.models.link import Link
from planner.models.node import NodeState
from planner.rehearse.batch import Refusal, Words, run_all
from planner.rehearse.modules import Modules
from planner.rehearse.namespaces import Namespaces, StandIn
from planner.rehearse.observe import links as read_links

REAL = frozenset({"bridge", "vxlan", "veth", "vlan", "macvlan", "ipvlan", "vrf"})
"""Kinds that do the same here as on the node. A veth only with both its ends."""
COLONS_OF_ETHERNET = 5
DEVICE = "/dev/net/tun"


def rebuild_links(
    namespaces: Namespaces, node: NodeState, modules: Modules
) -> tuple[dict[str, int], dict[str, str], list[Refusal]]:
    """Make them, with their settings and masters, still down.

    Returns descriptors of stand-ins, why something stands in for a link, and what was refused.
    """
    held = {link.name for link in read_links(namespaces)}
    refused: list[Refusal] = []
    absent = [link for link in node.links if link.name not in held]
    reasons = {link.name: why for link in absent if (why := why_stand_in(link, modules))}
    real = [link for link in absent if link.name not in reasons]
    wanted = [link for link in absent if link.name in reasons]
    taps = _stand_ins(namespaces, wanted, reasons, refused)
    refused += run_all(namespaces, _creations(sorted(real, key=lambda link: _depth(node, link)), node))
    made = {link.name for link in read_links(namespaces)}
    missing = [link for link in real if link.name not in made]
    if missing:
        reasons |= {
            link.name: f"stands in for a {link.kind}, which this kernel does not make" for link in missing
        }
        taps |= _stand_ins(namespaces, missing, reasons, refused)
    refused += run_all(namespaces, _settings(namespaces, node))
    refused += run_all(namespaces, _masters(namespaces, node))
    refused += run_all(namespaces, _bridges(namespaces, node))
    return taps, reasons, refused


def why_stand_in(link: Link, modules: Modules) -> str:
    """Why the link cannot be made as it was; empty when it can."""
    kind = link.kind or "physical link"
    if link.kind == "veth" and not creatable(link):
        return "stands in for a veth, whose other end is in a pod"
    if link.kind not in REAL or not creatable(link):
        return f"stands in for a {kind}"
    module = modules.would_load(f"rtnl-link-{link.kind}")
    return f"stands in for a {kind}, whose module {module} is not loaded on this machine" if module else ""


def _stand_ins(
    namespaces: Namespaces, links: Sequence[Link], reasons: dict[str, str], refused: list[Refusal]
) -> dict[str, int]:
    """Links that end in this process; where it may not make such, in a second network that it can look into."""
    taps, failed = namespaces.open_links([_stand_in(link) for link in links])
    barred = [link for link in links if failed.get(link.name, "").startswith(DEVICE)]
    refused += [Refusal(f"link {name}", why) for name, why in failed.items() if not why.startswith(DEVICE)]
    if not barred:
        return taps
    parked = namespaces.park()
    reasons |= {
        link.name: f"{reasons[link.name]}, and is a veth, because of {failed[link.name]}" for link in barred
    }
    refused += run_all(namespaces, (_parked(link, parked) for link in barred))
    made = {link.name for link in read_links(namespaces)}
    for link in barred:
        if link.name not in made:
            continue
        file = namespaces.far_end(parked, link.name, up=_stand_in(link).carrier)
        if _is_ethernet(link):
            taps[link.name] = file
        else:
            os.close(file)
    return taps


def _parked(link: Link, parked: str) -> Words:
    index = ("index", str(link.index)) if link.index else ()
    far = ("peer", "name", link.name, "netns", parked)
    return ("ip", "link", "add", *index, "name", link.name, "type", "veth", *far)


def _is_ethernet(link: Link) -> bool:
    return link.mac.count(":") >= COLONS_OF_ETHERNET


def _stand_in(link: Link) -> StandIn:
    # A link that is down has no carrier that could be seen; a stand-in that is up without one is told so.
    return StandIn(
        name=link.name,
        ethernet=_is_ethernet(link),
        index=link.index,
        carrier=link.carrier or not link.up,
    )


def _depth(node: NodeState, link: Link) -> tuple[int, int, str]:
    """What is below comes first, then what was made first."""
    below, seen = 0, link
    while seen.lower and below < len(node.links):
        lower = node.link(seen.lower)
        if lower is None:
            break
        below, seen = below + 1, lower
    return below, link.index, link.name


def _creations(links: Sequence[Link], node: NodeState) -> Iterator[Words]:
    made: set[str] = set()
    for link in links:
        if link.name in made:
            continue
        peer = node.link(link.options.get("peer", "")) if link.kind == "veth" else None
        words = create_command(
            link.model_copy(update={"mac": ""}) if follows_ports(link, node) else link, peer
        )
        index = ("index", str(link.index)) if link.index else ()
        peer_index = ("index", str(peer.index)) if peer and peer.index else ()
        yield (*words[:3], *index, *words[3:], *peer_index)
        made |= {link.name, peer.name if peer else link.name}


def _settings(namespaces: Namespaces, node: NodeState) -> Iterator[Words]:
    """Hardware address, MTU (from the bottom up), names, group and flags."""
    have = {link.name: link for link in read_links(namespaces)}
    for want in sorted(node.links, key=lambda link: _depth(node, link)):
        now = have.get(want.name)
        if now is None:
            continue
        yield from link_commands(
            now, want.model_copy(update={"mac": ""}) if follows_ports(want, node) else want
        )
        if now.mtu != want.mtu:
            yield "ip", "link", "set", "dev", want.name, "mtu", str(want.mtu)


def _masters(namespaces: Namespaces, node: NodeState) -> Iterator[Words]:
    """Ports, their settings, and then once more what a bridge takes from its ports."""
    have = {link.name: link for link in read_links(namespaces)}
    ports = [link for link in node.links if link.master and link.name in have]
    for want in ports:
        if have[want.name].master != want.master:
            yield "ip", "link", "set", "dev", want.name, "master", want.master
    for want in ports:
        yield from port_commands(have[want.name], want)
        if "cost" in want.options:
            # A stand-in is slower than what it stands for, and the cost of a port follows the speed.
            yield (
                "ip",
                "link",
                "set",
                "dev",
                want.name,
                "type",
                "bridge_slave",
                "cost",
                want.options["cost"],
            )


def _bridges(namespaces: Namespaces, node: NodeState) -> Iterator[Words]:
    """What a bridge took from its ports (net/bridge/br_if.c, br_mtu_auto_adjust), where it was told to have another."""
    for now in read_links(namespaces):
        want = node.link(now.name)
        if want is None or want.kind != "bridge":
            continue
        if now.mtu != want.mtu:
            yield "ip", "link", "set", "dev", want.name, "mtu", str(want.mtu)
        if want.mac and now.mac != want.mac:
            yield "ip", "link", "set", "dev", want.name, "address", want.mac


def up_commands(node: NodeState, have: Mapping[str, Link]) -> Iterator[Words]:
    """Links that are up: what is below first, ports before their bridge, which then has its carrier at once."""
    for want in sorted(node.links, key=lambda link: (link.kind == "bridge", _depth(node, link))):
        if want.up and want.name in have and not have[want.name].up:
            yield "ip", "link", "set", "dev", want.name, "up"

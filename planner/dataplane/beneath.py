"""What decides about frames, below IP: settings of links and ports, written neighbours and forwarding entries.

The model of packets does not follow frames there. Where such a thing differs between two states, nothing is proven about the
packets that it carries, and this module says which thing it is and what it may do.
"""

from collections.abc import Iterator

from planner.models.link import ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState

HARMLESS = frozenset(
    {
        # No packet notices them.
        "peer", "txqlen", "allmulticast", "promisc", "num_tx_queues", "num_rx_queues", "ageing", "ageing_time", "limit",
        "fdb_max_learned", "fdb_n_learned", "gc_timer", "hello_timer", "tcn_timer", "topology_change_timer", "topology_change",
        "topology_change_detected", "root_id", "root_path_cost", "root_port", "bridge_id", "designated_root", "designated_bridge",
        "designated_port", "designated_cost", "id", "no", "hold_timer", "message_age_timer", "forward_delay_timer",
        "topology_change_ack", "config_pending", "vlan_stats_enabled", "vlan_stats_per_port", "mcast_stats_enabled",
        "nf_call_arptables", "no_linklocal_learn", "guard", "root_block", "fastleave", "forward_delay", "hello_time", "max_age",
        # Frames of groups that are not IPv6's own.
        "group_addr", "group_fwd_mask", "group_fwd_mask_str", "multicast_router", "mcast_router", "mcast_hash_elasticity",
        "mcast_hash_max", "mcast_last_member_cnt", "mcast_last_member_intvl", "mcast_membership_intvl", "mcast_querier",
        "mcast_querier_intvl", "mcast_query_intvl", "mcast_query_response_intvl", "mcast_query_use_ifaddr",
        "mcast_startup_query_cnt", "mcast_startup_query_intvl", "mcast_igmp_version", "mcast_mld_version", "mcast_to_unicast",
        "mcast_max_groups", "mcast_n_groups",
    }
)  # fmt: skip
"""Options of links and ports that decide about no unicast packet. Every other one is taken to decide."""
MODELLED = frozenset({"nf_call_iptables", "nf_call_ip6tables"})
UNSAID = {None, "", "0", "off", "false", "any", "auto", "inherit", "0-0", "::", "0.0.0.0"}  # noqa: S104
"""Values that are as good as none: one of the two programs that print links tells fewer."""
USUALLY_ON = frozenset({"arp", "multicast"})
"""Flags that are said only where they are off."""
ELECTING = frozenset({"cost", "priority"})
"""They decide which port stands still, where the spanning tree is on."""
EFFECTS = {
    "arp": "whether addresses behind it are asked for, and its own are answered for",
    "multicast": "whether neighbours of IPv6 are found",
    "hairpin": "whether a pod behind it reaches itself through a Service",
    "isolated": "whether isolated ports of one bridge reach each other",
    "port_learning": "which addresses are known behind the port",
    "flood": "whether frames to addresses that are not known yet leave by it",
    "bcast_flood": "whether ARP requests leave by it",
    "mcast_flood": "whether neighbours of IPv6 behind it are found",
    "locked": "whether frames of unknown senders are taken",
    "neigh_suppress": "whether ARP requests leave by it",
    "vlan_filtering": "which VLANs may pass which port",
    "stp_state": "whether ports forward: a port waits twice the forward delay first",
    "learning": "which tunnel end an address is behind",
}  # fmt: skip


def beneath(before: NodeState, after: NodeState) -> Iterator[tuple[str, str]]:
    """Things that differ, each as the name of its change and a sentence about what hangs on it."""
    old, new = ({link.name: link for link in state.links} for state in (before, after))
    for name in sorted(old.keys() & new.keys()):
        was, now = old[name], new[name]
        if was.mac and now.mac and was.mac != now.mac and was.addresses and was.kind != "bridge":
            yield (
                f"link {name} mac",
                f"{name} has another hardware address: neighbours send to {was.mac} until they ask again",
            )
        if was.options != now.options:
            yield from _options(was, now, old)
    yield from _neighbours(before, after)
    yield from _entries(before, after)


def decides(option: str, was: str | None, now: str | None, link: Link, links: dict[str, Link]) -> bool:
    """Whether another value of an option may decide about unicast packets in a way that is not modelled."""
    if {was, now} <= UNSAID and option not in USUALLY_ON:
        return False
    if option in ELECTING:
        bridge = links.get(link.master, link)
        return bridge.options.get("stp_state", "0") not in {"0", "off"}
    # `id` is the number of a port, and the identity of a link of these kinds.
    if option == "id" and link.kind in {"vlan", "vxlan", "geneve"}:
        return True
    return option not in HARMLESS | MODELLED


def _options(old: Link, new: Link, links: dict[str, Link]) -> Iterator[tuple[str, str]]:
    same_port = old.master == new.master
    for option in sorted(old.options.keys() | new.options.keys()):
        was, now = old.options.get(option), new.options.get(option)
        # Options of a port come and go with its master, which is a change that is followed.
        if was == now or ((was is None or now is None) and not same_port):
            continue
        if not decides(option, was, now, new, links):
            continue
        effect = EFFECTS.get(option, "what becomes of frames there")
        yield (
            f"link {new.name} options/{option}",
            f"`{option}` of {new.name} decides {effect}, which is not followed",
        )


def _neighbours(before: NodeState, after: NodeState) -> Iterator[tuple[str, str]]:
    """Written entries that lead elsewhere. An entry that says what was found, or that a tunnel lacked, leads nowhere else."""
    links = {link.name: link for link in before.links}
    known = {(one.link, one.address): one for one in before.neighbours if one.mac and not one.proxy}
    written = {key: one for key, one in known.items() if one.permanent}
    later = {(one.link, one.address): one for one in after.neighbours if one.permanent and not one.proxy}
    for key in sorted(written.keys() | later.keys()):
        link, address = key
        if link not in links or not any(other.name == link for other in after.links):
            continue
        was, now = known.get(key), later.get(key)
        if now is not None and same(was, now):
            continue
        if now is None and was is not None and not asked_for(links[link]):
            yield f"neighbour {address}", f"without its entry nobody is found behind {address} on {link}"
        elif now is not None and (was is not None or asked_for(links[link])):
            yield (
                f"neighbour {address}",
                f"frames to {address} on {link} go to {now.mac or 'nobody'}, and whose that is is not known",
            )


def same(was: Neighbour | None, now: Neighbour) -> bool:
    """Whether an entry leads where the one before it led."""
    return was is not None and was.mac.lower() == now.mac.lower()


def asked_for(link: Link) -> bool:
    """Whether neighbours on a link are found by asking: on a tunnel that learns nothing somebody has to write them."""
    return link.kind not in {"vxlan", "geneve"} and link.options.get("arp", "on") != "off"


def _entries(before: NodeState, after: NodeState) -> Iterator[tuple[str, str]]:
    """Written forwarding entries of tunnels that lead elsewhere, or are gone while packets are still sent there."""
    old, new = (
        {
            (one.link, one.mac.lower(), one.vlan or 0): one
            for one in state.fdb
            if one.permanent and one.destination
        }
        for state in (before, after)
    )
    wanted = {(one.link, one.mac.lower()) for one in after.neighbours if one.mac}
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was is None or (now is not None and now.destination == was.destination):
            continue
        if now is not None or key[:2] in wanted:
            yield f"fdb {key[1]}", _sentence(was, now)


def _sentence(was: ForwardingEntry, now: ForwardingEntry | None) -> str:
    if now is None:
        return (
            f"frames to {was.mac} on {was.link} had their tunnel end at {was.destination}, and have none now"
        )
    return f"frames to {was.mac} on {was.link} go to {now.destination} instead of {was.destination}"

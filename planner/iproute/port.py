"""Settings of a bridge's port: `bridge link set` and `ip link set … type bridge_slave`."""

from collections.abc import Mapping, Sequence

from planner.iproute.world import NotModelledError, RefusedError, World
from planner.parse.ip_names import number_of
from planner.parse.ip_text_links import PORT_RENAMED
from planner.parse.ip_words import Words

SWITCHES = frozenset(
    {
        "hairpin", "guard", "fastleave", "root_block", "port_learning", "flood", "mcast_flood", "bcast_flood", "mcast_to_unicast",
        "neigh_suppress", "vlan_tunnel", "isolated", "locked", "proxy_arp", "proxy_arp_wifi",
    }
)  # fmt: skip
NUMBERS = {"cost": (1, 65535), "priority": (0, 63), "multicast_router": (0, 2), "group_fwd_mask": (0, 65535)}
"""What the kernel takes (net/bridge/br_stp_if.c, br_stp_set_path_cost() and br_stp_set_port_priority())."""
OF_BRIDGE = (SWITCHES - {"proxy_arp", "proxy_arp_wifi"}) | {"cost", "priority", "multicast_router"}
"""What `bridge link set` can set; `ip link` can set all."""
NOT_FOLLOWED = frozenset({"state", "hwmode", "backup_port", "backup_nhid", "mab", "neigh_vlan_suppress"})
OUT_OF_RANGE = "RTNETLINK answers: Numerical result out of range"
RESERVED = 0x2
"""The bit of `group_fwd_mask` that the kernel refuses for a port (net/bridge/br_netlink.c, br_setport(): BR_GROUPFWD_MACPAUSE)."""


def run_port(world: World, words: Sequence[str]) -> None:
    """`bridge link set dev PORT …`."""
    cursor, name = Words(words), ""
    wanted: dict[str, str] = {}
    while cursor.more():
        word = cursor.take()
        option = PORT_RENAMED.get(word, word)
        if word == "dev":
            name = cursor.take(word)
        elif option in OF_BRIDGE:
            wanted[option] = cursor.take(word)
        elif word == "learning_sync":
            cursor.take(word)  # switches in hardware only
        elif word in NOT_FOLLOWED | {"self", "nobackup_port"}:
            raise NotModelledError(f"`{word}` of `bridge link set`")
        elif word != "master":
            raise RefusedError(f"`bridge link set` knows no `{word}`")
    if not name:
        raise RefusedError("Device is a required argument.")
    if world.link(name) is None:
        raise RefusedError(f'Cannot find bridge device "{name}"')
    if wanted.get("cost") == "0":
        del wanted["cost"]  # it is not sent then (iproute2, bridge/link.c)
    if wanted:
        set_port(world, name, wanted)


def set_port(world: World, name: str, wanted: Mapping[str, str]) -> None:
    """Write settings of a port, by the names that links carry; all or, where one is refused, none."""
    told = {option: _value(option, value) for option, value in wanted.items()}
    link = world.need_link(name)
    master = world.link(link.master) if link.master else None
    if master is None or master.kind != "bridge":
        raise RefusedError("RTNETLINK answers: Operation not supported")
    for option, value in told.items():
        link = world.need_link(name)
        if link.options.get(option) != value:
            world.put_link(
                link.model_copy(update={"options": {**link.options, option: value}}), f"options/{option}"
            )


def _value(option: str, value: str) -> str:
    """As it is printed."""
    if option in SWITCHES:
        if value not in {"on", "off"}:
            raise RefusedError(f'Error: argument of "{option}" must be one of "off", "on", not "{value}"')
        return value
    if option not in NUMBERS:
        raise NotModelledError(f"`{option}` of a bridge's port")
    number = number_of(value)
    if number is None:
        raise RefusedError(f'Error: argument "{value}" is wrong: invalid {option}')
    least, most = NUMBERS[option]
    if not least <= number <= most:
        raise RefusedError(OUT_OF_RANGE)
    if option == "group_fwd_mask":
        if number & RESERVED:
            raise RefusedError("RTNETLINK answers: Invalid argument")
        return hex(number) if number else "0"
    return str(number)

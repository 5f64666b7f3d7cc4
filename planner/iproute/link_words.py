"""The words of `ip link add` and `ip link set`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from planner.iproute.world import NotModelledError, RefusedError
from planner.parse.ip_text_links import PORT_RENAMED, RENAMED, SWITCHES
from planner.parse.ip_words import Words

SWITCHED = {"arp": "arp", "multicast": "multicast", "allmulticast": "allmulticast", "promisc": "promisc"}
USUAL = {"arp": "on", "multicast": "on", "allmulticast": "off", "promisc": "off"}
VALUED = {
    "mtu": "mtu",
    "address": "address",
    "txqueuelen": "txqueuelen",
    "qlen": "txqueuelen",
    "txqlen": "txqueuelen",
    "alias": "alias",
    "group": "group",
    "master": "master",
    "name": "name",
    "index": "index",
}
IGNORED = frozenset(
    {
        "numtxqueues",
        "numrxqueues",
        "gso_max_size",
        "gso_max_segs",
        "gro_max_size",
        "tso_max_size",
        "mode",
        "broadcast",
        "brd",
    }
)
"""Settings that no noun carries."""


@dataclass(slots=True)
class LinkWords:
    """What the words ask for."""

    device: str = ""
    lower: str = ""
    values: dict[str, str] = field(default_factory=dict)
    up: bool | None = None
    nomaster: bool = False
    switches: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    options: dict[str, str] = field(default_factory=dict)
    peer: "LinkWords | None" = None
    not_modelled: list[str] = field(default_factory=list)


def read_link_words(words: Sequence[str], *, adding: bool) -> LinkWords:
    """Read them; a word that is none of `ip link` is refused as `ip` refuses it."""
    return _read(Words(words), adding=adding)


def _read(cursor: Words, *, adding: bool) -> LinkWords:
    found = LinkWords()
    while cursor.more():
        word = cursor.take()
        match word:
            case "dev":
                found.device = cursor.take(word)
            case "link" if adding:
                found.lower = cursor.take(word)
            case "up":
                found.up = True
            case "down":
                found.up = False
            case "nomaster":
                found.nomaster = True
            case "type":
                found.kind = cursor.take(word)
                _read_kind(found, cursor)
            case "netns" | "xdp" | "xdpgeneric" | "xdpdrv" | "vf" | "addrgenmode" | "protodown" | "vrf":
                found.not_modelled.append(f"`{word}` of `ip link`")
                cursor.take(word)
                if word in {"xdp", "xdpgeneric", "xdpdrv", "vf"}:
                    cursor.at = len(cursor.words)
            case _ if word in SWITCHED:
                found.switches[word] = _switch(cursor, word)
            case _ if word in VALUED:
                found.values[VALUED[word]] = cursor.take(word)
            case _ if word in IGNORED:
                cursor.take(word)
            case _ if not found.device and not found.values.get("name"):
                found.device = word
            case _:
                raise RefusedError(f'Error: either "dev" is duplicate, or "{word}" is a garbage.')
    if adding and "name" in found.values:
        found.device = found.values.pop("name")
    return found


def _switch(cursor: Words, word: str) -> str:
    value = cursor.take(word)
    if value not in {"on", "off"}:
        raise RefusedError(f'Error: argument of "{word}" must be "on" or "off", not "{value}"')
    return value


def _read_kind(found: LinkWords, cursor: Words) -> None:
    if found.kind == "veth":
        if cursor.peek() == "peer":
            cursor.take()
            found.peer = _read(cursor, adding=True)
        elif cursor.more():
            raise NotModelledError(f"`{cursor.peek()}` of a veth link")
        return
    while cursor.more():
        word = cursor.take()
        name = {"vni": "id", "remote": "remote", **RENAMED}.get(word, word)
        bare = RENAMED.get(word.removeprefix("no"), word.removeprefix("no"))
        if word == "srcport":
            found.options["port_range"] = f"{cursor.take(word)}-{cursor.take(word)}"
        elif found.kind == "vxlan" and bare in SWITCHES:
            off = word.startswith("no") and name not in SWITCHES
            found.options[bare] = "off" if off else "on"
        elif found.kind == "bridge_slave" and word == "fdb_flush":
            found.not_modelled.append(f"`{word}` of a bridge's port")
        elif found.kind.endswith("_slave"):
            found.options[PORT_RENAMED.get(word, name)] = cursor.take(word)
        elif word == "dev":
            found.lower = cursor.take(word)
            found.options["link"] = found.lower
        else:
            found.options[name] = cursor.take(word)

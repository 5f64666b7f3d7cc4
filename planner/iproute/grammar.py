"""How `ip` and `bridge` complete abbreviated words: the first of a fixed list that begins with what was typed."""

from collections.abc import Sequence

from planner.iproute.world import RefusedError

# In the order of iproute2 (ip/ip.c, cmds): `ip r` is route, `ip n` is neighbor.
OBJECTS = (
    "address",
    "addrlabel",
    "maddress",
    "route",
    "rule",
    "neighbor",
    "neighbour",
    "ntable",
    "ntbl",
    "link",
    "l2tp",
    "fou",
    "ila",
    "macsec",
    "tunnel",
    "tunl",
    "tuntap",
    "tap",
    "token",
    "tcpmetrics",
    "tcp_metrics",
    "monitor",
    "xfrm",
    "mroute",
    "mrule",
    "netns",
    "netconf",
    "vrf",
    "sr",
    "nexthop",
    "mptcp",
    "ioam",
    "help",
    "stats",
)
SHOWING = ("list", "show", "lst")
ACTIONS = {
    "route": (
        *SHOWING,
        "add",
        "change",
        "chg",
        "replace",
        "prepend",
        "append",
        "test",
        "delete",
        "get",
        "flush",
        "save",
        "restore",
        "showdump",
        "help",
    ),
    "rule": (*SHOWING, "save", "restore", "add", "delete", "flush", "help"),
    "address": (
        "add",
        "change",
        "chg",
        "replace",
        "delete",
        "show",
        "list",
        "lst",
        "flush",
        "save",
        "showdump",
        "restore",
        "help",
    ),
    "link": (
        "add",
        "set",
        "change",
        "replace",
        "delete",
        "show",
        "list",
        "lst",
        "xstats",
        "afstats",
        "property",
        "help",
    ),
    "neighbor": ("add", "change", "chg", "replace", "delete", "get", "show", "list", "lst", "flush", "help"),
    "nexthop": (*SHOWING, "get", "add", "replace", "delete", "flush", "help", "bucket"),
    "fdb": ("add", "append", "replace", "delete", "get", "show", "lst", "list", "flush", "help"),
}
BRIDGE_LINK = ("set", "change", "show", "lst", "list", "help")
BRIDGE_OBJECTS = ("link", "fdb", "mdb", "vlan", "vni", "monitor", "help")
READING = frozenset({*SHOWING, "get", "save", "showdump", "help", "xstats", "afstats", "test", "bucket"})
"""Actions that change nothing."""
SYNONYMS = {"neighbour": "neighbor", "chg": "change"}


def complete(word: str, known: Sequence[str], what: str) -> str:
    """The full word."""
    for candidate in known:
        if candidate.startswith(word):
            return SYNONYMS.get(candidate, candidate)
    raise RefusedError(f'{what} "{word}" is unknown')


def family_of(words: Sequence[str]) -> str:
    """Family of a command that does not say it: that of its addresses, IPv4 where there are none."""
    skipped = {"dev", "oif", "iif", "lladdr", "name", "encap"}
    for before, word in zip(("", *words), words, strict=False):
        if before not in skipped and word.count(":") >= 2:
            return "ip6"
    return "ip"

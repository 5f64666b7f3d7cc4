"""Names of sysctls: the canonical key, its path below /proc/sys, and the link a key belongs to."""

import re
import sys
from dataclasses import dataclass
from functools import lru_cache

_SWAP = str.maketrans("./", "/.")
_PER_LINK = re.compile(r"^net\.(ipv4|ipv6)\.(conf|neigh)\.([^.]+)\.([^.]+)$")

ALL, DEFAULT = "all", "default"
KEPT = 1 << 18
"""Keys whose parts are remembered: a node with a thousand links has 130,000, and what is forgotten before it is asked
for again is of no use."""
TWINS = {
    "net.ipv4.conf.all.forwarding": "net.ipv4.ip_forward",
    "net.nf_conntrack_max": "net.netfilter.nf_conntrack_max",
    "net.ipv6.route.gc_min_interval": "net.ipv6.route.gc_min_interval_ms",
}
"""One variable behind two names: the other name, and the one that is reported."""
NEIGHBOUR_TWINS = {
    "base_reachable_time": "base_reachable_time_ms",
    "retrans_time": "retrans_time_ms",
    "unres_qlen": "unres_qlen_bytes",
}


@dataclass(frozen=True, slots=True)
class LinkKey:
    """A key that exists once for each link, and as `all` and `default`."""

    family: str
    """`ipv4` or `ipv6`."""
    group: str
    """`conf` or `neigh`."""
    link: str
    """Name as iproute2 prints it, `eth0.100`; or `all`, `default`."""
    knob: str

    def __str__(self) -> str:
        return f"net.{self.family}.{self.group}.{self.link.replace('.', '/')}.{self.knob}"

    @property
    def real(self) -> bool:
        """Whether it belongs to one link, not to `all` or `default`."""
        return self.link not in {ALL, DEFAULT}

    @property
    def default(self) -> str:
        """The key whose value a new link of the namespace starts with."""
        return f"net.{self.family}.{self.group}.{DEFAULT}.{self.knob}"

    @property
    def pattern(self) -> str:
        """As the catalogue writes it."""
        return f"net.{self.family}.{self.group}.<iface>.{self.knob}"


def normalise_key(text: str) -> str:
    """The key as `sysctl -a` prints it: `net.ipv4.conf.eth0/100.rp_filter`.

    The first separator decides: after `/` the name is taken literally as a path; after `.` dots and slashes are
    swapped (systemd src/basic/sysctl-util.c sysctl_normalize(); procps does the same).
    """
    text = text.strip(" \t\r\n\f\v").lstrip("/")
    for character in text:
        if character == "/":
            return text.translate(_SWAP)
        if character == ".":
            return text
    return text


def key_to_path(key: str) -> str:
    """The file of a canonical key: `/proc/sys/net/ipv4/conf/eth0.100/rp_filter`."""
    return "/proc/sys/" + key.translate(_SWAP)


@lru_cache(maxsize=KEPT)
def path_to_key(path: str) -> str:
    """The canonical key of a file below /proc/sys."""
    return path.removeprefix("/proc/sys/").translate(_SWAP)


@lru_cache(maxsize=KEPT)
def link_key(key: str) -> LinkKey | None:
    """The parts of a per-link key; None for every other key."""
    match = _PER_LINK.match(key)
    if match is None:
        return None
    # One copy of each word: they are the same for a hundred keys, or a thousand.
    family, group, link, knob = map(sys.intern, match.groups())
    return LinkKey(family, group, sys.intern(link.replace("/", ".")), knob)


def conf(family: str, link: str, knob: str) -> str:
    """`net.ipv4.conf.eth0/100.rp_filter` from `ipv4`, `eth0.100`, `rp_filter`."""
    return str(LinkKey(family, "conf", link, knob))


def reported_name(key: str) -> str:
    """The name under which a value with two names is reported."""
    twin = TWINS.get(key)
    if twin:
        return twin
    parts = link_key(key)
    if parts and parts.group == "neigh" and parts.knob in NEIGHBOUR_TWINS:
        return str(LinkKey(parts.family, parts.group, parts.link, NEIGHBOUR_TWINS[parts.knob]))
    return key

"""Where netfilter looks at a packet, and in which order: one table, for whatever walks it.

Priorities are those of include/uapi/linux/netfilter_ipv4.h and netfilter_ipv6.h; both families have the same.
"""

from dataclasses import dataclass
from enum import StrEnum


class Hook(StrEnum):
    """The five places of the network layer."""

    PREROUTING = "PREROUTING"
    INPUT = "INPUT"
    FORWARD = "FORWARD"
    OUTPUT = "OUTPUT"
    POSTROUTING = "POSTROUTING"


class Reroute(StrEnum):
    """After which changes a packet of the node is routed again."""

    NEVER = ""
    DESTINATION = "destination"
    """nf_nat_proto.c, nf_nat_ipv4_local_fn."""
    HEADER = "source, destination, mark or type of service"
    """iptable_mangle.c, ipt_mangle_out; nft_chain_route.c, nf_route_table_hook4."""


CONNTRACK = "conntrack"


@dataclass(frozen=True, slots=True)
class Station:
    """One base chain, or conntrack's own hook."""

    hook: Hook
    priority: int
    table: str
    reroute: Reroute = Reroute.NEVER

    def __str__(self) -> str:
        return f"{self.hook.lower()} {self.table}"


RAW, TRACK, MANGLE, DSTNAT, FILTER, SECURITY, SRCNAT = -300, -200, -150, -100, 0, 50, 100

STATIONS: dict[Hook, tuple[Station, ...]] = {
    Hook.PREROUTING: (
        Station(Hook.PREROUTING, RAW, "raw"),
        Station(Hook.PREROUTING, TRACK, CONNTRACK),
        Station(Hook.PREROUTING, MANGLE, "mangle"),
        Station(Hook.PREROUTING, DSTNAT, "nat"),
    ),
    Hook.INPUT: (
        Station(Hook.INPUT, MANGLE, "mangle"),
        Station(Hook.INPUT, FILTER, "filter"),
        Station(Hook.INPUT, SECURITY, "security"),
        Station(Hook.INPUT, SRCNAT, "nat"),
    ),
    Hook.FORWARD: (
        Station(Hook.FORWARD, MANGLE, "mangle"),
        Station(Hook.FORWARD, FILTER, "filter"),
        Station(Hook.FORWARD, SECURITY, "security"),
    ),
    Hook.OUTPUT: (
        Station(Hook.OUTPUT, RAW, "raw"),
        Station(Hook.OUTPUT, TRACK, CONNTRACK),
        Station(Hook.OUTPUT, MANGLE, "mangle", Reroute.HEADER),
        Station(Hook.OUTPUT, DSTNAT, "nat", Reroute.DESTINATION),
        Station(Hook.OUTPUT, FILTER, "filter"),
        Station(Hook.OUTPUT, SECURITY, "security"),
    ),
    Hook.POSTROUTING: (
        Station(Hook.POSTROUTING, MANGLE, "mangle"),
        Station(Hook.POSTROUTING, SRCNAT, "nat"),
    ),
}
TRANSLATES_SOURCE = frozenset({Hook.POSTROUTING, Hook.INPUT})
"""Hooks whose nat chains rewrite the source; the others rewrite the destination (nf_nat_core.h, HOOK2MANIP)."""

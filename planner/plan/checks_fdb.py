"""Facets of forwarding databases: the written entries of bridges and overlay links."""

from planner.emit.ip_restore import EVERYTHING, written
from planner.emit.script import quote
from planner.models.link import ForwardingEntry
from planner.models.node import NodeState
from planner.plan.checks_rules import sed_literal
from planner.plan.facet import Facet, shell, value_facet

Key = tuple[str, str, int, str]
"""Link, hardware address, VLAN (0: none), destination where one address may have many."""


def fdb_facets(before: NodeState, after: NodeState) -> tuple[Facet, ...]:
    """Entries that differ and that somebody has written: those that are learned come and go."""
    if before.fdb == after.fdb:
        return ()
    have, want = _by_key(before), _by_key(after)
    return tuple(
        _facet(key, have.get(key), want.get(key))
        for key in sorted(have.keys() | want.keys())
        if have.get(key) != want.get(key)
    )


def _by_key(state: NodeState) -> dict[Key, str]:
    return {_key(entry): _text(entry) for entry in written(state)}


def _key(entry: ForwardingEntry) -> Key:
    # A group address, and the one for everything unknown, may lead to many (drivers/net/vxlan/vxlan_core.c, vxlan_fdb_update).
    many = entry.mac == EVERYTHING or int(entry.mac[:2], 16) & 1
    return entry.link, entry.mac, entry.vlan or 0, entry.destination if many else ""


def _text(entry: ForwardingEntry) -> str:
    words = ["dst", entry.destination] if entry.destination else []
    words += ["vlan", str(entry.vlan)] if entry.vlan is not None else []
    words += ["master", entry.master] if entry.master else ["self"]
    return " ".join((*words, "permanent"))


def _facet(key: Key, before: str | None, after: str | None) -> Facet:
    link, mac, vlan, destination = key
    # As `bridge fdb show dev LINK` prints it (iproute2, bridge/fdb.c, print_fdb).
    program = [
        f"/^{sed_literal(mac)} /!d",
        "/ permanent/!d",
        f"/ vlan {vlan} /!d" if vlan else "/ vlan /d",
        *([f"/ dst {sed_literal(destination)} /!d"] if destination else []),
        "s/^[^ ]* //; s/ link-netnsid [0-9]*//; s/ offload//",
    ]
    read = f"bridge fdb show dev {quote(link)} 2>/dev/null | sed -e {quote(chr(10).join(program))} | sort"
    place = f" to {destination}" if destination else ""
    vlans = f" of VLAN {vlan}" if vlan else ""
    return value_facet(f"forwarding entry {mac}{vlans}{place} on {link}", shell(read), before, after)

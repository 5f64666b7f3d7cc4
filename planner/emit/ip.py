"""Commands of `ip` and `bridge`: every word said, so that the same command makes the same thing on any node."""

from planner.emit.ip_links import link_commands
from planner.emit.ip_restore import restore_commands, unrestorable
from planner.emit.ip_words import (
    address_command,
    fdb_command,
    neighbour_command,
    nexthop_command,
    route_command,
    rule_command,
)

__all__ = [
    "address_command",
    "fdb_command",
    "link_commands",
    "neighbour_command",
    "nexthop_command",
    "restore_commands",
    "route_command",
    "rule_command",
    "unrestorable",
]

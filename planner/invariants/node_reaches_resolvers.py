"""The node reaches the name servers of its own resolv.conf.

The kubelet and the container runtime look up names there, and the cluster's DNS forwards to them for everything else.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from planner.invariants.ground import Ground
from planner.invariants.invariant import UDP, Invariant, opening
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass
from planner.parse.resolv import parse_resolv
from planner.topology.prefixes import address as parsed

FILES = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")
"""systemd-resolved's own list comes first: /etc/resolv.conf then names only the stub on loopback (systemd-resolved(8))."""
PORT = 53


def _paths(ground: Ground) -> Iterator[Path]:
    for server in _servers(ground)[:2]:
        here = ground.host(server)
        if here is not None:
            yield INVARIANT.path(
                server,
                f"the node to its name server{ground.also} ({server}, udp {PORT})",
                opening(ground, here, server, PORT, protocol=UDP),
                everybody=ground.main,
            )


def _servers(ground: Ground) -> list[str]:
    for path in FILES:
        file = ground.state.files.get(path)
        found = parse_resolv(file.text).asked if file is not None else ()
        usable = [
            server for server in found if parsed(server) is not None and not ip_address(server).is_loopback
        ]
        if usable:
            return list(ground.mine(tuple(usable)))
    return []


INVARIANT = Invariant(
    id="node-reaches-resolvers",
    title="The node reaches its name servers",
    words="the node to its name servers",
    breaks=(TrafficClass.DNS, TrafficClass.HOST_EGRESS),
    paths=_paths,
    sources=("resolv.conf(5)", "systemd-resolved(8)"),
)

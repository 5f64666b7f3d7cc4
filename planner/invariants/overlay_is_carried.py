"""The overlay's packets arrive from other nodes and leave to them.

To the node they are ordinary packets to and from a port of its own, or of protocol 4: INPUT and OUTPUT see them, and a host
firewall that knows nothing of pods drops them.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground, Spot
from planner.invariants.invariant import IPIP, REMOTE_PORT, UDP, Invariant
from planner.models.flow import Entry, Flow
from planner.models.invariant import Path
from planner.models.link import Link
from planner.models.topology import Overlay
from planner.models.traffic import TrafficClass

FLANNEL_UDP = 8285
"""flannel's default (flannel, Documentation/backends.md)."""


def _paths(ground: Ground) -> Iterator[Path]:
    for link in ground.state.links:
        if link.name not in ground.topology.overlay_links:
            continue
        port = link.options.get("port", link.options.get("dstport", ""))
        if link.kind in {"vxlan", "geneve"} and port.isdigit():
            yield from _both(ground, link, UDP, int(port))
        elif link.kind == "ipip" and ground.family == "ip":
            yield from _both(ground, link, IPIP, 0)
        elif ground.topology.overlay is Overlay.FLANNEL_UDP and ground.family == "ip":
            yield from _both(ground, link, UDP, FLANNEL_UDP)


def _both(ground: Ground, link: Link, protocol: int, port: int) -> Iterator[Path]:
    other = _other_end(ground, link)
    own = link.options.get("local", "")
    if other is None or (own and (":" in own) != (ground.family == "ip6")):
        return
    here = ground.host(other.address)
    own = own if own in ground.addresses else here.address if here is not None else ""
    if not own:
        return
    words = f"udp {port}, {link.name}" if protocol == UDP else f"protocol {protocol}, {link.name}"

    def outer(source: str, destination: str, entry: Entry) -> Flow:
        return Flow(
            family=ground.family, protocol=protocol, source=source, destination=destination,
            source_port=REMOTE_PORT if port else 0, destination_port=port, entry=entry,
        )  # fmt: skip

    yield INVARIANT.path(
        f"{link.name}/in",
        f"the overlay's packets from other nodes ({words})",
        outer(other.address, own, other.entry),
        answered=False,
        ends_at=("local",),
    )
    yield INVARIANT.path(
        f"{link.name}/out",
        f"the overlay's packets to other nodes ({words})",
        outer(own, other.address, Entry()),
        answered=False,
    )


def _other_end(ground: Ground, link: Link) -> Spot | None:
    """A node at the other end: as the forwarding entries say, else as the cluster does."""
    ends = [e.destination for e in ground.state.fdb if e.link == link.name and e.destination]
    ends += [
        hop.via
        for route in ground.state.routes
        for hop in route.nexthops
        if hop.link == link.name and hop.via
    ]
    for address in ground.mine(tuple(sorted(set(ends)))):
        leg = ground.leg(address)
        if (
            leg is not None
            and leg.link not in ground.topology.overlay_links
            and address not in ground.addresses
        ):
            return Spot(address, Entry(link=leg.link), f"another node ({address})")
    return ground.beside


INVARIANT = Invariant(
    id="overlay-is-carried",
    title="The overlay's packets arrive and leave",
    words="the overlay's packets",
    breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
    paths=_paths,
    underlay=True,
    sources=("RFC 7348, RFC 8926, RFC 2003", "flannel, Documentation/backends.md"),
)

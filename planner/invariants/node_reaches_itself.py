"""Programs on the node reach each other by its loopback addresses.

The kubelet's and the container runtime's health checks, local caches of DNS and debuggers' ports listen on 127.0.0.1 or ::1 only.
Packets over lo pass OUTPUT and INPUT as all others do: a policy that drops, without a rule that accepts what comes by lo, cuts them
off from each other. Names such as localhost lead to ::1 first, also on nodes that otherwise speak IPv4.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import REMOTE_PORT, Invariant, reach
from planner.models.flow import Entry, Flow
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass

HEALTHZ = 10248
"""The kubelet's, of which nobody but the node itself asks (healthzPort in kubelet.config.k8s.io/v1beta1)."""


def _paths(ground: Ground) -> Iterator[Path]:
    link = ground.view.links.get("lo")
    if not ground.main or link is None or not link.up:
        return
    for address in ("127.0.0.1", "::1"):
        if any(held.address == address for held in link.addresses):
            port = _port(ground, address)
            yield INVARIANT.path(
                address,
                f"the node's own programs to each other by {reach(address, port)}",
                Flow(
                    family="ip6" if ":" in address else "ip", source=address, destination=address,
                    source_port=REMOTE_PORT, destination_port=port, entry=Entry(),
                ),
                everybody=False,
            )  # fmt: skip


def _port(ground: Ground, address: str) -> int:
    """Of somebody who listens on a loopback address of the family and nowhere else."""
    ports = [
        one.port
        for one in ground.state.volatile.listeners or ()
        if one.protocol == "tcp" and one.address == address
    ]
    return min(ports, default=HEALTHZ)


INVARIANT = Invariant(
    id="node-reaches-itself",
    title="Programs on the node reach each other by its loopback addresses",
    words="the node's own programs to each other",
    breaks=(TrafficClass.HOST_EGRESS,),
    paths=_paths,
    sources=(
        "Linux, drivers/net/loopback.c",
        "Kubernetes documentation, kubelet configuration, healthzBindAddress",
    ),
)

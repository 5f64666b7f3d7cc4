"""The node reaches the API server at its own address.

The kubelet keeps leases and gets pods by it. A node that loses it is taken for dead within a minute, and its pods are
started elsewhere.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening, reach
from planner.invariants.services import API
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass

PORT = 6443


def _paths(ground: Ground) -> Iterator[Path]:
    for address, port, words in api_servers(ground)[:2]:
        here = ground.host(address)
        if here is not None:
            yield INVARIANT.path(
                f"{address}/{port}",
                f"the kubelet's connections to the API server{ground.also} ({words})",
                opening(ground, here, address, port),
                everybody=ground.main,
            )


def api_servers(ground: Ground) -> list[tuple[str, int, str]]:
    """Address, port and words; another machine stands for one that is not known."""
    port = PORT
    for service in ground.cluster.services if ground.cluster is not None else ():
        if f"{service.namespace}/{service.name}" == API and service.ports:
            named = service.ports[0].target_port
            port = int(named) if named.isdigit() else PORT
    known = [(address, port, reach(address, port)) for address in ground.mine(ground.topology.api_servers)]
    if known or ground.topology.api_servers or ground.beside is None:
        return known
    return [(ground.beside.address, port, f"tcp {port}; its address is not known")]


INVARIANT = Invariant(
    id="node-reaches-api-server",
    title="The node reaches the API server",
    words="the node to the API server",
    breaks=(TrafficClass.NODE_TO_APISERVER,),
    paths=_paths,
    control=True,
    sources=("Kubernetes documentation, communication between nodes and the control plane",),
)

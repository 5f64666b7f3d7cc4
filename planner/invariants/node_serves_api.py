"""A node that runs an API server is reached there by the other nodes.

On a control-plane node the port is as much a lifeline as ssh: every kubelet of the cluster depends on it.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening
from planner.invariants.node_reaches_api_server import PORT
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    serves = any(item.port == PORT and item.protocol == "tcp" for item in ground.state.volatile.listeners)
    other = ground.beside
    if serves and other is not None and ground.own:
        yield INVARIANT.path(
            f"{ground.own}/{PORT}",
            f"other nodes to the API server that runs here{ground.also} (tcp {PORT} from {other.address})",
            opening(ground, other, ground.own, PORT),
            ends_at=("local",),
            everybody=ground.main,
        )


INVARIANT = Invariant(
    id="node-serves-api",
    title="An API server that runs on the node is reached",
    words="other nodes to the API server on the node",
    breaks=(TrafficClass.NODE_TO_APISERVER,),
    paths=_paths,
    control=True,
    sources=("Kubernetes documentation, ports and protocols",),
)

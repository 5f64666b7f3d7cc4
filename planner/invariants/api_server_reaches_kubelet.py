"""The API server reaches the kubelet.

Logs, exec, port-forward and metrics come in by tcp 10250. Pods go on without it; people cannot look into them.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground, Spot
from planner.invariants.invariant import Invariant, opening
from planner.invariants.node_reaches_api_server import api_servers
from planner.models.flow import Entry
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass

KUBELET = 10250


def _paths(ground: Ground) -> Iterator[Path]:
    for address, _, _ in api_servers(ground)[:2]:
        leg = ground.leg(address)
        if leg is None or not ground.own or address in ground.addresses:
            continue
        server = Spot(address, Entry(link=leg.link), "the API server")
        yield INVARIANT.path(
            address,
            f"the API server's connections to the kubelet{ground.also} (tcp {KUBELET} from {address}: logs, exec, metrics)",
            opening(ground, server, ground.own, KUBELET),
            ends_at=("local",),
            everybody=False,
        )


INVARIANT = Invariant(
    id="api-server-reaches-kubelet",
    title="The API server reaches the kubelet",
    words="the API server to the kubelet",
    breaks=(TrafficClass.NODE_TO_APISERVER,),
    paths=_paths,
    control=True,
    sources=("Kubernetes documentation, ports and protocols",),
)

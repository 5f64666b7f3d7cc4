"""The node's own programs reach the API server through its Service.

CNI plugins and agents with the host's network use the same address as pods do; their packets are translated in OUTPUT.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening, reach
from planner.invariants.services import API, services
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    for target in services(ground):
        here = ground.host(target.address) if target.name == API else None
        if here is not None:
            yield INVARIANT.path(
                target.id,
                f"the node's agents to the API server's Service{ground.also} ({reach(target.address, target.port)})",
                opening(ground, here, target.address, target.port),
                everybody=False,
            )


INVARIANT = Invariant(
    id="node-reaches-api-service",
    title="The node's own programs reach the API server's Service",
    words="the node's agents to the API server's Service",
    breaks=(TrafficClass.NODE_TO_APISERVER, TrafficClass.POD_TO_SERVICE),
    paths=_paths,
    translated=True,
    sources=("Kubernetes, pkg/proxy/iptables/proxier.go, nat OUTPUT",),
)

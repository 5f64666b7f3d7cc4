"""Somebody outside reaches Services by the address of a load balancer, or by an external address.

Balancers that do not rewrite the packet send it to the node as it is, and the node translates it.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening, reach
from planner.invariants.services import balancers
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    client = ground.outside
    if client is None:
        return
    for target in balancers(ground):
        yield INVARIANT.path(
            f"{target.address}/{target.id}",
            f"clients outside to {target.name} by {reach(target.address, target.port)} (from {client.address})",
            opening(ground, client, target.address, target.port, protocol=target.protocol),
            everybody=False,
        )


INVARIANT = Invariant(
    id="outside-reaches-balancers",
    title="Clients outside reach Services by load balancer addresses",
    words="clients outside to load balancers",
    breaks=(TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
    paths=_paths,
    translated=True,
    sources=("Kubernetes, pkg/proxy/iptables/proxier.go, KUBE-FW and KUBE-EXT chains",),
)

"""Pods reach Services: the address is translated to an endpoint, whichever is drawn, and the answer is translated back.

A Service's address is nobody's. Without the translation the packet follows the default route into nothing; with it, the
answer of a pod on the same bridge must still pass the node, or its sender has an address that nobody asked.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening, reach
from planner.invariants.services import services
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    for pod in ground.pods[:1]:
        for target in services(ground):
            yield INVARIANT.path(
                target.id,
                f"{pod} to the Service {target.name} ({reach(target.address, target.port)})",
                opening(ground, pod, target.address, target.port, protocol=target.protocol),
                everybody=False,
            )


INVARIANT = Invariant(
    id="pods-reach-services",
    title="Pods reach Services",
    words="pods to Services",
    breaks=(TrafficClass.POD_TO_SERVICE,),
    paths=_paths,
    translated=True,
    sources=("Kubernetes, pkg/proxy/iptables/proxier.go", "Linux, net/bridge/br_netfilter_hooks.c"),
)

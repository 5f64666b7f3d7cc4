"""A pod reaches itself through its own Service.

The node has to hide the pod behind its own address: else the pod gets a packet from itself, and drops it.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground, Spot
from planner.invariants.invariant import Invariant, opening, reach
from planner.invariants.services import services
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    for target in services(ground):
        if not target.local:
            continue
        address = target.local[0]
        entry = ground.pod_entry(address)
        if entry is None:
            continue
        pod = Spot(address, entry, f"pod {address}")
        yield INVARIANT.path(
            target.id,
            f"{pod.words} of the Service {target.name} to the same Service ({reach(target.address, target.port)})",
            opening(ground, pod, target.address, target.port, protocol=target.protocol),
            everybody=False,
        )
        return


INVARIANT = Invariant(
    id="pods-reach-themselves",
    title="A pod reaches itself through its Service",
    words="pods to themselves through their Service",
    breaks=(TrafficClass.POD_TO_SERVICE,),
    paths=_paths,
    translated=True,
    sources=(
        "Kubernetes, pkg/proxy/iptables/proxier.go, KUBE-SEP chains",
        "Kubernetes documentation, Debug Services, hairpin mode",
    ),
)

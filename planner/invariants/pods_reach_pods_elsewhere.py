"""Pods of a node reach pods of other nodes.

The way is a route to the other node's range, through a tunnel or a next hop. When it is lost the default route takes the
packets, and they still leave: by the wrong link.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import POD_PORT, Invariant, opening
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    for number, there in enumerate(ground.pods_elsewhere):
        for pod in ground.pods[:1]:
            yield INVARIANT.path(
                there.address,
                f"{pod} to {there}",
                opening(ground, pod, there.address, POD_PORT),
                ends_at=() if ground.by_default(there.address) else (there.link,),
                everybody=ground.main and (number == 0 or len(ground.pods_elsewhere) > 1),
            )


INVARIANT = Invariant(
    id="pods-reach-pods-elsewhere",
    title="Pods of the node reach pods of other nodes",
    words="its pods to pods of other nodes",
    breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
    paths=_paths,
    sources=("Kubernetes documentation, cluster networking",),
)

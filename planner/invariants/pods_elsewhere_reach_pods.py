"""Pods of other nodes reach pods of this one.

What comes out of the tunnel, or from the other node, is forwarded to the pod's link, and the answer goes back the same way.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground, Spot
from planner.invariants.invariant import POD_PORT, Invariant, opening
from planner.models.flow import Entry
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    for there in ground.pods_elsewhere:
        for pod in ground.pods[:1]:
            yield INVARIANT.path(
                there.address,
                f"{there} to {pod}",
                # The network hands a pod's packets to the link that the pod itself is reached by: the one it answers by.
                opening(ground, there, pod.address, POD_PORT, entry=_entry(ground, pod, there)),
                ends_at=(pod.link,),
                everybody=ground.main,
            )


def _entry(ground: Ground, pod: Spot, there: Spot) -> Entry:
    leg = ground.leg(there.address, pod)
    return Entry(link=leg.link) if leg is not None and leg.link != pod.link else there.entry


INVARIANT = Invariant(
    id="pods-elsewhere-reach-pods",
    title="Pods of other nodes reach pods of the node",
    words="pods of other nodes to its pods",
    breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE),
    paths=_paths,
    sources=("Kubernetes documentation, cluster networking",),
)

"""The kubelet's probes reach the pods of the node, and their answers come back.

Probes are the node's own packets: they pass OUTPUT, and the answers INPUT. A pod whose probes fail is restarted or taken
out of its Services although it works.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import POD_PORT, Invariant, opening
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    for pod in ground.pods:
        here = ground.host(pod.address)
        if here is not None:
            yield INVARIANT.path(
                pod.address,
                f"health probes of {pod}",
                opening(ground, here, pod.address, POD_PORT),
                ends_at=(pod.link,),
                everybody=ground.main,
            )


INVARIANT = Invariant(
    id="kubelet-probes-pods",
    title="The kubelet's probes reach the node's pods",
    words="health probes",
    breaks=(TrafficClass.KUBELET_PROBES,),
    paths=_paths,
    sources=("Kubernetes documentation, liveness, readiness and startup probes",),
)

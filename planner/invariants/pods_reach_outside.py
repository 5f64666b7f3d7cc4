"""Pods reach the outside, and the answers come back.

A pod's packet leaves behind an address of the node, or with its own where the network outside knows the way back. When
the masquerade goes, packets still leave and no answer ever returns.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass

HTTPS = 443


def _paths(ground: Ground) -> Iterator[Path]:
    if ground.outside is None or not ground.leaves:
        return
    there = ground.outside.address
    for pod in ground.pods:
        yield INVARIANT.path(
            f"{pod.address}",
            f"{pod} to the outside ({there}, tcp {HTTPS})",
            opening(ground, pod, there, HTTPS),
            everybody=ground.main,
        )


INVARIANT = Invariant(
    id="pods-reach-outside",
    title="Pods reach the outside and get their answers",
    words="pods to the outside",
    breaks=(TrafficClass.POD_TO_EXTERNAL,),
    paths=_paths,
    outward=True,
    sources=("Kubernetes documentation, cluster networking", "flannel and CNI bridge plugin, ipMasq"),
)

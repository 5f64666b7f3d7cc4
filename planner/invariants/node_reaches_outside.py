"""The node itself reaches the outside: images, time, updates.

Pods may go on for days without it; the next one that needs an image does not start.
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
    here = ground.host(there)
    if here is not None:
        yield INVARIANT.path(
            there,
            f"the node's own connections to the outside{ground.also} ({there}, tcp {HTTPS}: images, updates)",
            opening(ground, here, there, HTTPS),
            everybody=ground.main,
        )


INVARIANT = Invariant(
    id="node-reaches-outside",
    title="The node reaches the outside",
    words="the node to the outside",
    breaks=(TrafficClass.HOST_EGRESS,),
    paths=_paths,
    sources=("Kubernetes documentation, images",),
)

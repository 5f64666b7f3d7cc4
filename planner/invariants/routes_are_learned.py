"""BGP sessions that bring the routes to other nodes' pods stay open.

Where routes are learned, a node that loses its sessions loses the routes when the hold time is over: minutes after the
change, not at once.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening
from planner.models.invariant import Path
from planner.models.topology import Overlay
from planner.models.traffic import TrafficClass

BGP = 179
SPEAKERS = frozenset({Overlay.CALICO_BGP, Overlay.CALICO_IPIP, Overlay.KUBE_ROUTER})


def _paths(ground: Ground) -> Iterator[Path]:
    peer = ground.beside
    if ground.topology.overlay not in SPEAKERS or peer is None or not ground.own:
        return
    yield INVARIANT.path(
        "in",
        f"the BGP sessions that bring its routes{ground.also} (tcp {BGP} from {peer.words})",
        opening(ground, peer, ground.own, BGP),
        ends_at=("local",),
        everybody=False,
    )
    here = ground.host(peer.address)
    if here is not None:
        yield INVARIANT.path(
            "out",
            f"the BGP sessions that bring its routes{ground.also} (tcp {BGP} to {peer.words})",
            opening(ground, here, peer.address, BGP),
            everybody=False,
        )


INVARIANT = Invariant(
    id="routes-are-learned",
    title="BGP sessions with other nodes stay open",
    words="BGP sessions",
    breaks=(TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS),
    paths=_paths,
    underlay=True,
    sources=("RFC 4271, hold timer", "Calico documentation, network requirements"),
)

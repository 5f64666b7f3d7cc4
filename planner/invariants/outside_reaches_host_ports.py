"""Somebody outside reaches pods by host ports.

portmap, or the kubelet of old, translates a port of the node to a pod of it; nothing but these rules makes the port work.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening
from planner.invariants.services import host_ports
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    client = ground.outside
    if client is None or not ground.own:
        return
    for target in host_ports(ground):
        word = "udp" if target.protocol == 17 else "tcp"
        own = target.address if target.address in ground.addresses else ground.own
        yield INVARIANT.path(
            f"{target.port}/{word}",
            f"clients outside to host port {target.port}{target.of} ({word} from {client.address})",
            opening(ground, client, own, target.port, protocol=target.protocol),
            everybody=False,
        )


INVARIANT = Invariant(
    id="outside-reaches-host-ports",
    title="Clients outside reach host ports",
    words="clients outside to host ports",
    breaks=(TrafficClass.HOSTPORT,),
    paths=_paths,
    translated=True,
    sources=("CNI plugins, portmap, README",),
)

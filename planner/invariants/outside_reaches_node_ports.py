"""Somebody outside reaches Services by NodePort.

The node translates the packet to an endpoint here or elsewhere and hides the client where the answer would not find back.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import Invariant, opening
from planner.invariants.services import node_ports
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    client = ground.outside
    if client is None or not ground.own:
        return
    for target in node_ports(ground):
        word = "udp" if target.protocol == 17 else "tcp"
        yield INVARIANT.path(
            f"{target.port}/{word}",
            f"clients outside to NodePort {target.port}{target.of} ({word} from {client.address})",
            opening(ground, client, ground.own, target.port, protocol=target.protocol),
            everybody=False,
        )


INVARIANT = Invariant(
    id="outside-reaches-node-ports",
    title="Clients outside reach NodePorts",
    words="clients outside to NodePorts",
    breaks=(TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
    paths=_paths,
    translated=True,
    sources=("Kubernetes, pkg/proxy/iptables/proxier.go, KUBE-NODEPORTS",),
)

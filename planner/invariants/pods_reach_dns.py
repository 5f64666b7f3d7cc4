"""Pods reach the cluster's DNS, by UDP and by TCP.

Every name that a pod looks up starts here; large answers come by TCP.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import TCP, UDP, Invariant, opening
from planner.invariants.services import dns
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass

PORT = 53


def _paths(ground: Ground) -> Iterator[Path]:
    for pod in ground.pods[:1]:
        for address, name in dns(ground)[:2]:
            for protocol, word in ((UDP, "udp"), (TCP, "tcp")):
                yield INVARIANT.path(
                    f"{address}/{word}",
                    f"{pod} to {name} ({address}, {word} {PORT})",
                    opening(ground, pod, address, PORT, protocol=protocol),
                    everybody=ground.main and protocol == UDP,
                )


INVARIANT = Invariant(
    id="pods-reach-dns",
    title="Pods reach the cluster's DNS",
    words="pods to DNS",
    breaks=(TrafficClass.DNS,),
    paths=_paths,
    translated=True,
    sources=("Kubernetes documentation, DNS for Services and Pods", "RFC 7766"),
)
